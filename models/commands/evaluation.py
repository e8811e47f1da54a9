# ruff: noqa: PLC0415  # evaluations need seconds to import (Matplotlib, SciPy), and pulling models needs none of them
# ruff: noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
"""The commands `evaluate ...`: every table and figure of the paper.

Each command writes NAME.json and NAME.png, and prints a table.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from models.commands.options import Landmarks, Mirror, Model, Models, Only, PipelineChoice, UnseenPeople
from models.commands.output import command_line, finish_report, print_table
from models.errors import DatasetError
from models.progress import progress_bar

if TYPE_CHECKING:
    from models.evaluation.data.identities import Identities
    from models.evaluation.data.pairs import PairList
    from models.evaluation.experiments.trend import Point
    from models.evaluation.experiments.verification import Verification
    from models.evaluation.reports.report import Report
    from service.pipeline.opening import PipelineOptions

app = typer.Typer(no_args_is_help=True, help="Measure a model on a public data set.")

Images = Annotated[Path, typer.Option(help="the folder that holds NAME/NAME_0001.jpg, ...")]
PairsFile = Annotated[Path, typer.Option("--pairs", help="the list of pairs: LFW's pairs.txt")]
UnseenPeopleOption = Annotated[
    Path,
    typer.Option("--identities", help="FOLDER/PERSON/PHOTOGRAPH.jpg, of people that the model was not trained on"),
]
PerPerson = Annotated[int, typer.Option(min=1, help="the maximum number of photographs of a person")]
Out = Annotated[Path, typer.Option(help="the folder that the .json and .png are written to")]

OUT = Path("var/evaluation")

EvaluatePairs = Callable[["PipelineOptions", Path, "PairList", Callable[[], object]], "Report"]
"""An evaluation on a list of pairs.

It takes the options of the pipeline, the folder of images, the list, and a function to call after each photograph.
"""

Kept = TypeVar("Kept")


@app.command("lfw")
def lfw(
    images: Images,
    pairs: Annotated[
        list[Path], typer.Option(help="the list of pairs: LFW's pairs.txt; repeat the option for several lists")
    ],
    model: Model = "sface",
    landmarks: Annotated[Landmarks, typer.Option(help="the model that gives the five landmarks")] = "onet",
    mirror: Annotated[Mirror, typer.Option(help="average the embeddings of each face and of its mirror image")] = "off",
    crop: Annotated[
        Literal["aligned", "centre"],
        typer.Option(help="aligned: the detected face; centre: a fixed square in the middle of the photograph"),
    ] = "aligned",
    out: Annotated[Path, typer.Option(help="the folder for lfw.json, lfw.npz and lfw.png")] = OUT,
) -> None:
    """Labelled Faces in the Wild, View 2: ten folds, each at the threshold that is best for the other nine.

    View 1 is the part on which thresholds may be chosen: --pairs pairsDevTrain.txt --pairs pairsDevTest.txt
    """
    from models.evaluation.data.pairs import read_pair_lists
    from models.evaluation.embedding.centre import embed_centres
    from models.evaluation.embedding.files import embed_files
    from models.evaluation.experiments.lfw import EmbedFiles, evaluate_lfw, write_lfw_report

    embed: dict[str, EmbedFiles] = {"aligned": embed_files, "centre": embed_centres}
    pipeline = PipelineChoice(model, landmarks, mirror)
    pair_list = read_pair_lists(*pairs)
    with progress_bar(len(pair_list.images), "Embedding photographs") as done:
        report = evaluate_lfw(pipeline.pipeline_options(), images, pair_list, done, embed[crop])
    write_lfw_report(report, out, {**asdict(pipeline), "crop": crop, "command": command_line()})
    print_table(report.rows())


@app.command("quality")
def quality(images: Images, pairs: PairsFile, model: Model = "sface", out: Out = OUT) -> None:
    """Table 4: VAL against JPEG quality and against the pixels of the crop, on LFW's pairs."""
    from models.evaluation.experiments.image_quality import evaluate_image_quality

    _evaluate_pairs(evaluate_image_quality, images, pairs, model, out, "quality")


@app.command("bytes")
def byte_embeddings(images: Images, pairs: PairsFile, model: Model = "sface", out: Out = OUT) -> None:
    """Section 5.4: one byte for each coordinate of an embedding, compared with float32, on LFW's pairs."""
    from models.evaluation.experiments.byte_embeddings import evaluate_byte_embeddings

    _evaluate_pairs(evaluate_byte_embeddings, images, pairs, model, out, "bytes")


@app.command("errors")
def errors(images: Images, pairs: PairsFile, model: Model = "sface", out: Out = OUT) -> None:
    """Figure 6: every pair of LFW that is decided incorrectly, with its distance."""
    from models.evaluation.experiments.wrong_pairs import evaluate_wrong_pairs

    _evaluate_pairs(evaluate_wrong_pairs, images, pairs, model, out, "errors")


def _evaluate_pairs(
    evaluate: EvaluatePairs, images: Path, pairs: Path, model: str, out: Path, report_name: str
) -> None:
    from models.evaluation.data.pairs import read_pair_lists

    pair_list = read_pair_lists(pairs)
    with progress_bar(len(pair_list.images), "Embedding photographs") as done:
        report = evaluate(PipelineChoice(model).pipeline_options(), images, pair_list, done)
    finish_report(report, out, report_name, model)


@app.command("ytf")
def ytf(
    folder: Annotated[Path, typer.Argument(help="holds splits.txt and aligned_images_DB/PERSON/VIDEO/")],
    frames: Annotated[
        int, typer.Option(min=1, help="the maximum number of frames of a track; the paper has 100 and 1000")
    ] = 100,
    model: Model = "sface",
    out: Out = OUT,
) -> None:
    """Section 5.7: YouTube Faces, ten splits. The distance of two tracks is the mean over all pairs of their frames."""
    from models.evaluation.experiments.ytf import evaluate_ytf, read_splits

    pair_list = read_splits(folder)
    with progress_bar(len(pair_list.images), "Embedding tracks") as done:
        report = evaluate_ytf(PipelineChoice(model).pipeline_options(), folder, frames, pair_list, done)
    finish_report(report, out, "ytf", model)


@app.command("verification")
def verification(
    folder: UnseenPeople,
    model: Model = "sface",
    only: Only = None,
    per_person: PerPerson = 10,
    fmr: Annotated[float, typer.Option(min=1e-6, max=0.5, help="the FMR at which VAL is measured")] = 1e-3,
    out: Out = OUT,
) -> None:
    """Table 3: VAL at an FMR, 0.001 as in the paper, over five splits of people that the model was not trained on.

    It prints the results and error rates in the form of the card.
    """
    from models.evaluation.data.identities import read_identities
    from models.evaluation.reports.card_entries import card_toml, error_rates, val_result
    from service.pipeline.opening import open_embedder

    threshold = open_embedder(PipelineChoice(model).pipeline_options()).card.thresholds.verification
    (report,) = _verify([model], read_identities(folder, per_person, only), lambda _, measured: measured, fmr)
    finish_report(report, out, "verification", model)
    rates = error_rates(report, threshold, folder.name)
    print(card_toml(Path(model).stem, val_result(report, command_line()), rates))  # noqa: T201  # its output


@app.command("dimensions")
def dimensions(
    models: Models, identities: UnseenPeopleOption, only: Only = None, per_person: PerPerson = 10, out: Out = OUT
) -> None:
    """Table 5: VAL of models with different embedding dimensions."""
    from models.evaluation.data.identities import read_identities
    from models.evaluation.experiments.trend import make_trend
    from service.pipeline.opening import open_embedder

    sizes = [open_embedder(PipelineChoice(model).pipeline_options()).card.dimension for model in models]
    points = _measure_points(models, sizes, read_identities(identities, per_person, only))
    finish_report(make_trend("dimension", points), out, "dimensions", *models)


@app.command("learning-curve")
def learning_curve(
    models: Annotated[list[str], typer.Argument(help="AMOUNT=MODEL, such as 400=compact-400.onnx")],
    identities: UnseenPeopleOption,
    amount: Annotated[str, typer.Option(help="what AMOUNT counts")] = "people trained on",
    only: Only = None,
    per_person: PerPerson = 10,
    out: Out = OUT,
) -> None:
    """Table 6: VAL of models that were trained on different amounts of data."""
    from models.evaluation.data.identities import read_identities
    from models.evaluation.experiments.trend import make_trend

    amounts, names = zip(*(_parse_amount(text) for text in models), strict=True)
    points = _measure_points(names, amounts, read_identities(identities, per_person, only))
    finish_report(make_trend(amount, points, line="-"), out, "learning-curve", *models)


@app.command("tradeoff")
def tradeoff(
    models: Models, identities: UnseenPeopleOption, only: Only = None, per_person: PerPerson = 10, out: Out = OUT
) -> None:
    """Figure 4: VAL against the multiply-adds of a face. They are counted in the model files."""
    from models.evaluation.data.identities import read_identities
    from models.evaluation.experiments.trend import make_trend
    from models.evaluation.metrics.multiply_adds import multiply_adds

    costs = [multiply_adds(PipelineChoice(model).pipeline_options().embedder.path) for model in models]
    points = _measure_points(models, costs, read_identities(identities, per_person, only))
    finish_report(make_trend("multiply-adds", points), out, "tradeoff", *models)


@app.command("roc")
def roc(
    models: Models, identities: UnseenPeopleOption, only: Only = None, per_person: PerPerson = 10, out: Out = OUT
) -> None:
    """Figure 5: the ROC curves of several models in one picture."""
    from models.evaluation.data.identities import read_identities
    from models.evaluation.experiments.roc import ModelCurves, measure_curve

    people = read_identities(identities, per_person, only)
    curves = _verify(models, people, lambda label, measured: measure_curve(label, measured.pairs))
    finish_report(ModelCurves(tuple(curves)), out, "roc", *models)


def _measure_points(models: Sequence[str], numbers: Sequence[int], identities: "Identities") -> list["Point"]:
    """Return a point for each model: its number and its VAL."""
    from models.evaluation.experiments.trend import Point

    vals = _verify(models, identities, lambda label, measured: (label, measured.val))
    return [Point(label, number, val) for number, (label, val) in zip(numbers, vals, strict=True)]


def _verify(
    models: Sequence[str], identities: "Identities", keep: Callable[[str, "Verification"], Kept], fmr: float = 1e-3
) -> list[Kept]:
    """Measure each model on the same people. Returns what `keep` returns for each label and result.

    Only the pairs of one model are in memory at a time. All models are checked before the first one is measured.
    """
    from models.evaluation.experiments.verification import evaluate_verification

    pipelines = [PipelineChoice(model).pipeline_options() for model in models]
    kept = []
    for label, options in zip(_labels(models), pipelines, strict=True):
        with progress_bar(len(identities.files), f"Embedding photographs with {label}") as done:
            kept.append(keep(label, evaluate_verification(options, identities, done, fmr)))
    return kept


def _labels(models: Sequence[str]) -> list[str]:
    """Return the names without folders, or the full names if two names would be equal."""
    short = [Path(model).stem for model in models]
    return short if len(set(short)) == len(short) else list(models)


def _parse_amount(text: str) -> tuple[int, str]:
    """Split AMOUNT=MODEL. Raises DatasetError if the text has another form."""
    amount, separator, model = text.partition("=")
    if not (separator and model and amount.isdecimal() and int(amount)):
        raise DatasetError(f"{text} is not AMOUNT=MODEL, such as 400=compact-400.onnx.")
    return int(amount), model
