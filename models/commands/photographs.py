# ruff: noqa: PLC0415  # evaluations need seconds to import (Matplotlib, SciPy), and pulling models needs none of them
# ruff: noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
"""The commands that measure photographs as people send them: evaluate turned, recall, close-ups, no-face, reject."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.commands.evaluation import OUT, Images, Out, PairsFile
from models.commands.options import Model, Only, PipelineChoice
from models.commands.output import finish_report
from models.progress import progress_bar

if TYPE_CHECKING:
    from models.evaluation.photographs.composites import KnownFace
    from service.pipeline.opening import PipelineOptions

app = typer.Typer()

SIZES_MP = [1, 2, 12, 50]

FACE_FINDERS = ("yunet", "onet")
"""The models that find faces. Only these are measured, except in `evaluate turned` and `evaluate reject`."""


@app.command("turned")
def turned(
    images: Images,
    pairs: PairsFile,
    model: Model = "sface",
    per_kind: Annotated[int, typer.Option(min=1, help="how many mated pairs, and how many non-mated pairs")] = 300,
    out: Out = OUT,
) -> None:
    """Pairs of LFW that are turned, also upside down: how many strangers match, and how many people still do."""
    from models.evaluation.data.pairs import read_pair_lists
    from models.evaluation.photographs.turned import TURNS_DEG, draw_pairs, evaluate_turned

    pair_list = draw_pairs(read_pair_lists(pairs), per_kind)
    with progress_bar(len(TURNS_DEG) * len(pair_list.images), "Embedding turned photographs") as done:
        report = evaluate_turned(PipelineChoice(model).pipeline_options(), images, pair_list, done)
    finish_report(report, out, "turned", model, *FACE_FINDERS)


@app.command("recall")
def recall(
    images: Images,
    faces: Annotated[int, typer.Option(min=1, help="how many faces are searched under each condition")] = 200,
    megapixels: Annotated[
        list[int], typer.Option(min=1, max=50, help="a size of photograph; repeat the option for several sizes")
    ] = SIZES_MP,
    backgrounds: Annotated[
        Path | None, typer.Option(help="a folder of photographs without a face; by default, two of scikit-learn")
    ] = None,
    max_side_px: Annotated[
        int | None, typer.Option(min=1, help="as FACE_DETECTION__MAX_SIDE_PX; by default, that of the service")
    ] = None,
    min_face_px: Annotated[
        int | None, typer.Option(min=1, help="as FACE_DETECTION__MIN_FACE_PX; by default, that of the service")
    ] = None,
    out: Out = OUT,
) -> None:
    """Which faces are found, by the width of the face and the size of the photograph, and the CPU time."""
    from models.evaluation.photographs.recall import FACES_IN_ONE, evaluate_recall, list_conditions, read_backgrounds

    options = PipelineChoice().pipeline_options()
    pasted_on = read_backgrounds(backgrounds, options.max_pixels)
    conditions = list_conditions(megapixels)
    known = _find_known_faces(options, images, faces)
    options = replace(
        options,
        max_side_px=max_side_px or options.max_side_px,
        min_face_px=min_face_px or options.min_face_px,
    )
    with progress_bar(len(conditions) * -(-faces // FACES_IN_ONE), "Searching photographs") as done:
        report = evaluate_recall(options, known, pasted_on, conditions, done)
    finish_report(report, out, "recall", *FACE_FINDERS)


@app.command("close-ups")
def close_ups(
    images: Images,
    count: Annotated[int, typer.Option(min=1, help="how many photographs are put together")] = 200,
    out: Out = OUT,
) -> None:
    """Close-ups: whether a face that fills the photograph and a small face in a corner are both found."""
    from models.evaluation.photographs.close_ups import evaluate_close_ups

    options = PipelineChoice().pipeline_options()
    known = _find_known_faces(options, images, 2 * count)
    with progress_bar(count, "Searching photographs") as done:
        report = evaluate_close_ups(options, known, done)
    finish_report(report, out, "close-ups", *FACE_FINDERS)


@app.command("no-face")
def no_face(
    folder: Annotated[Path, typer.Argument(help="a folder of pictures without a face, with any subfolders")],
    out: Out = OUT,
) -> None:
    """How many pictures without a face get a face. These pictures are shown."""
    from models.evaluation.photographs.no_face import evaluate_no_face
    from models.evaluation.photographs.pictures import list_pictures

    options = PipelineChoice().pipeline_options()
    pictures = list_pictures(folder)
    with progress_bar(len(pictures), "Searching pictures") as done:
        report = evaluate_no_face(options, pictures, done)
    finish_report(report, out, "no-face", *FACE_FINDERS)


@app.command("reject")
def reject(
    folder: Annotated[Path, typer.Argument(help="FOLDER/PERSON/PHOTOGRAPH.jpg, of people who were not in the fit")],
    model: Model = "sface",
    only: Only = None,
    out: Out = OUT,
) -> None:
    """FNMR when the photographs of the lowest quality are rejected, as they are and degraded at random.

    Two photographs of each person are used: a reference and a probe.
    """
    from models.evaluation.data.identities import read_identities
    from models.evaluation.quality.probes import count_pairs, embed_pairs
    from models.evaluation.quality.reject import evaluate_reject

    identities = read_identities(folder, 2, only)
    with progress_bar(count_pairs(identities), "Embedding pairs of photographs") as done:
        pairs = embed_pairs(PipelineChoice(model).pipeline_options(), identities, done)
    finish_report(evaluate_reject(pairs), out, "reject", model, *FACE_FINDERS)


def _find_known_faces(options: "PipelineOptions", images: Path, count: int) -> "list[KnownFace]":
    from models.evaluation.photographs.composites import find_known_faces

    with progress_bar(count, "Finding faces to copy") as done:
        return find_known_faces(options, images, count, done)
