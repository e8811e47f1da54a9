"""Make a face set of a folder of photographs: plan the shards, cut the faces, flag suspicious faces, describe the set.

A run that was interrupted continues after the finished shards.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.conversion.card import read_checked_card
from models.errors import DatasetError
from models.preparation.cropping import CROPPINGS, CropName, Cropping
from models.preparation.flagging import flag_faces
from models.preparation.folder import PeopleFolder, plan_shards
from models.preparation.output_folder import FolderPurpose, lock_output_folder
from models.preparation.report import FlaggedFaces, PreparationReport, make_report
from models.preparation.shard_making import FacePreparer, make_shards
from models.preparation.shard_records import ShardRecords
from models.preparation.shards import (
    SET_FILE,
    FaceSetDescription,
    Flag,
    PreparationSettings,
    Shard,
    write_json,
)
from service.pipeline.opening import PipelineOptions, open_embedder

REPORT_FILE = "report.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparationOptions:
    """How a face set is made.

    pipeline: the models, and the options of detection. Its embedder is used to find wrong labels.
    crop: a name in `CROPPINGS`.
    canvas_px: the side of a canvas.
    """

    pipeline: PipelineOptions
    crop: CropName = "five_point"
    canvas_px: int = 128
    photographs_per_shard: int = 1000


def prepare(
    folder: PeopleFolder, out: Path, options: PreparationOptions, done: Callable[[], object]
) -> PreparationReport:
    """Write the face set to `out` (see `shards.py`), and return what was dropped and flagged.

    The same photographs and options always give the same bytes, even if a run was interrupted.

    done: called after each photograph.
    Raises StartupError if a model cannot be opened. Raises DatasetError if `out` cannot be used, or if none of the
    photographs can be used.
    """
    embedder = open_embedder(options.pipeline)
    cropping = CROPPINGS[options.crop](options.pipeline, embedder.card, options.canvas_px)
    settings = _settings(options, cropping)
    plans = plan_shards(folder.people.values(), options.photographs_per_shard)
    with lock_output_folder(out, FolderPurpose(folder=str(folder.path.resolve()), settings=settings)):
        preparer = FacePreparer(folder.path, cropping, embedder, options.pipeline.threads)
        records = make_shards(preparer, plans, out, done)
        report = make_report(folder, records, flag_faces(out, records, embedder.card.dimension))
        write_json(out / REPORT_FILE, report)
        if not report.faces:
            raise _no_faces(report, out)
        write_json(out / SET_FILE, _describe(settings, records, report.flagged))
    return report


def _settings(options: PreparationOptions, cropping: Cropping) -> PreparationSettings:
    pipeline = options.pipeline
    sources = {"detector": pipeline.detector, "landmarks": pipeline.landmarks, "embedder": pipeline.embedder}
    return PreparationSettings(
        crop=options.crop,
        alignment=cropping.alignment,
        photographs_per_shard=options.photographs_per_shard,
        max_pixels=pipeline.max_pixels,
        max_side_px=pipeline.max_side_px,
        min_face_px=pipeline.min_face_px,
        min_score=pipeline.min_score,
        models={role: read_checked_card(source.path).id for role, source in sources.items() if source},
    )


def _no_faces(report: PreparationReport, out: Path) -> DatasetError:
    counts = ", ".join(f"{len(files)} {reason}" for reason, files in report.dropped.items() if files)
    return DatasetError(f"None of the {report.photographs} photographs can be used: {counts}. See {out / REPORT_FILE}.")


def _describe(settings: PreparationSettings, records: ShardRecords, flagged: FlaggedFaces) -> FaceSetDescription:
    flags = _flagged_keys_by_shard(flagged)
    shards = (
        Shard(name=record.name, faces=len(record.faces), sha256=record.sha256, flags=flags[record.name])
        for record in records
    )
    return FaceSetDescription(
        settings=settings,
        people=tuple(sorted({face.origin.person for record in records for face in record.faces})),
        sources=tuple(sorted({face.origin.source for record in records for face in record.faces})),
        shards=tuple(shards),
    )


def _flagged_keys_by_shard(flagged: FlaggedFaces) -> defaultdict[str, dict[Flag, list[str]]]:
    """Return the flagged keys by shard and flag. A key is the name of the shard, a hyphen and a number."""
    flags: defaultdict[str, dict[Flag, list[str]]] = defaultdict(dict)
    for flag, keys in flagged.keys().items():
        for key in keys:
            flags[key.rpartition("-")[0]].setdefault(flag, []).append(key)
    return flags
