"""A folder of photographs -> a set to train on: plan, cut, judge, describe. A run that was stopped is gone on with."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.conversion.card import check
from models.errors import DatasetError
from models.preparation.croppings import CROPPINGS, CropName, Cropping
from models.preparation.cutting import Cutter, make_shards
from models.preparation.folder import Folder, plan
from models.preparation.judging import judge
from models.preparation.output import Claim, own
from models.preparation.records import Records
from models.preparation.report import Flagged, Report, report_of
from models.preparation.shards import SET, Description, Flag, Settings, Shard, write_json
from service.pipeline import PipelineOptions, open_embedder

REPORT = "report.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How a set is made.

    pipeline: the models and how photographs are looked at; its embedder judges the labels. crop: a name in
    `CROPPINGS`. canvas_px: the side of a canvas.
    """

    pipeline: PipelineOptions
    crop: CropName = "five_point"
    canvas_px: int = 128
    photographs_per_shard: int = 1000


def prepare(folder: Folder, out: Path, how: Preparation, done: Callable[[], object]) -> Report:
    """Writes the set to `out` (`shards.py`) and tells what was left out. `done` is called after each photograph.

    The same photographs and settings give the same bytes, however often the run was stopped. Raises StartupError for
    models that cannot be opened, DatasetError where `out` cannot be used or none of the photographs can.
    """
    embedder = open_embedder(how.pipeline)
    cropping = CROPPINGS[how.crop](how.pipeline, embedder.card, how.canvas_px)
    settings = _settings(how, cropping)
    parts = plan(folder.people.values(), how.photographs_per_shard)
    with own(out, Claim(folder=str(folder.path.resolve()), settings=settings)):
        cutter = Cutter(folder.path, cropping, embedder, how.pipeline.threads)
        records = make_shards(cutter, parts, out, done)
        report = report_of(folder, records, judge(out, records, embedder.card.dimension))
        write_json(out / REPORT, report)
        if not report.faces:
            raise _nothing(report, out)
        write_json(out / SET, _describe(settings, records, report.flagged))
    return report


def _settings(how: Preparation, cropping: Cropping) -> Settings:
    sources = {
        "detector": how.pipeline.detector,
        "landmarks": how.pipeline.landmarks,
        "embedder": how.pipeline.embedder,
    }
    return Settings(
        crop=how.crop,
        alignment=cropping.alignment,
        photographs_per_shard=how.photographs_per_shard,
        max_pixels=how.pipeline.max_pixels,
        max_side_px=how.pipeline.max_side_px,
        min_score=how.pipeline.min_score,
        models={role: check(source.path).id for role, source in sources.items() if source},
    )


def _nothing(report: Report, out: Path) -> DatasetError:
    counts = ", ".join(f"{len(files)} {reason}" for reason, files in report.dropped.items() if files)
    return DatasetError(f"None of the {report.photographs} photographs can be used: {counts}. See {out / REPORT}.")


def _describe(settings: Settings, records: Records, flagged: Flagged) -> Description:
    flags = _by_shard(flagged)
    shards = (
        Shard(name=record.name, faces=len(record.faces), sha256=record.sha256, flags=flags[record.name])
        for record in records
    )
    return Description(
        settings=settings,
        people=tuple(sorted({face.origin.person for record in records for face in record.faces})),
        sources=tuple(sorted({face.origin.source for record in records for face in record.faces})),
        shards=tuple(shards),
    )


def _by_shard(flagged: Flagged) -> defaultdict[str, dict[Flag, list[str]]]:
    """The flagged keys by shard and flag. A key is its shard's name and a number."""
    flags: defaultdict[str, dict[Flag, list[str]]] = defaultdict(dict)
    for flag, keys in flagged.keys().items():
        for key in keys:
            flags[key.rpartition("-")[0]].setdefault(flag, []).append(key)
    return flags
