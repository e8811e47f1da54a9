# ruff: noqa: PLC0415  # what measures needs seconds to import (Matplotlib, SciPy), and pulling models needs none of it
# ruff: noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
"""What measures a model: every table and figure of the paper, each as NAME.json, NAME.png and a table to read."""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from models.errors import DatasetError
from models.options import Landmarks, Measured, Mirror
from models.progress import counted

if TYPE_CHECKING:
    from models.evaluation.identities import Identities
    from models.evaluation.report import Report, Row
    from models.evaluation.trend import Point
    from models.evaluation.verification import Verification

app = typer.Typer(no_args_is_help=True, help="Measures a model on a public data set.")

Images = Annotated[Path, typer.Option(help="NAME/NAME_0001.jpg, ...")]
PairList = Annotated[Path, typer.Option("--pairs", help="the list, LFW's pairs.txt")]
Model = Annotated[str, typer.Option(help="of the zoo, or an .onnx file")]
Models = Annotated[list[str], typer.Argument(help="of the zoo, or .onnx files")]
Folder = Annotated[Path, typer.Argument(help="FOLDER/PERSON/PHOTOGRAPH.jpg, people not trained on")]
People = Annotated[Path, typer.Option("--identities", help="FOLDER/PERSON/PHOTOGRAPH.jpg, people not trained on")]
Only = Annotated[Path | None, typer.Option(help="a file of names, one a line: the people that count")]
PerPerson = Annotated[int, typer.Option(min=1, help="photographs of one person, at most")]
Out = Annotated[Path, typer.Option(help="the folder that the .json and .png are written to")]

OUT = Path("var/evaluation")

Kept = TypeVar("Kept")


@app.command()
def lfw(
    images: Images,
    pairs: Annotated[list[Path], typer.Option(help="the list, LFW's pairs.txt; again for one with more folds")],
    model: Model = "sface",
    landmarks: Annotated[Landmarks, typer.Option(help="whose five points")] = "onet",
    mirror: Annotated[Mirror, typer.Option(help="average each face with its mirror image")] = "off",
    crop: Annotated[
        Literal["aligned", "centre"], typer.Option(help="the detected face, or the fixed centre of the photograph")
    ] = "aligned",
    out: Annotated[Path, typer.Option(help="the folder for lfw.json, lfw.npz and lfw.png")] = OUT,
) -> None:
    """Labelled Faces in the Wild, View 2: ten folds, each at the threshold that is best for the other nine.

    View 1, on which thresholds may be chosen: --pairs pairsDevTrain.txt --pairs pairsDevTest.txt
    """
    from models.embedding import embed_files
    from models.evaluation import lfw as benchmark
    from models.evaluation.centre import embed_centres
    from models.evaluation.pairs import read_pairs

    embed: dict[str, benchmark.EmbedFiles] = {"aligned": embed_files, "centre": embed_centres}
    measured = Measured(model, landmarks, mirror)
    listed = read_pairs(*pairs)
    with counted(len(listed.images), "Embedding photographs") as done:
        report = benchmark.evaluate(measured.pipeline_options(), images, listed, done, embed[crop])
    benchmark.write(report, out, {**asdict(measured), "crop": crop, "command": command()})
    _print([("LFW", "measured"), *report.lines()])


@app.command()
def quality(images: Images, pairs: PairList, model: Model = "sface", out: Out = OUT) -> None:
    """Table 4: VAL against JPEG quality and against the pixels of the crop, on LFW's pairs."""
    from models.evaluation import image_quality
    from models.evaluation.pairs import read_pairs

    listed = read_pairs(pairs)
    with counted(len(listed.images), "Embedding photographs, each under every condition") as done:
        report = image_quality.evaluate(Measured(model).pipeline_options(), images, listed, done)
    finish(report, out, "quality", model)


@app.command("bytes")
def byte_embeddings(images: Images, pairs: PairList, model: Model = "sface", out: Out = OUT) -> None:
    """Section 5.4: a byte for each coordinate of an embedding, against float32, on LFW's pairs."""
    from models.evaluation import byte_embeddings as measure
    from models.evaluation.pairs import read_pairs

    listed = read_pairs(pairs)
    with counted(len(listed.images), "Embedding photographs") as done:
        report = measure.evaluate(Measured(model).pipeline_options(), images, listed, done)
    finish(report, out, "bytes", model)


@app.command()
def errors(images: Images, pairs: PairList, model: Model = "sface", out: Out = OUT) -> None:
    """Figure 6: every pair of LFW that is decided wrongly, with its distance."""
    from models.evaluation import wrong_pairs
    from models.evaluation.pairs import read_pairs

    listed = read_pairs(pairs)
    with counted(len(listed.images), "Embedding photographs") as done:
        report = wrong_pairs.evaluate(Measured(model).pipeline_options(), images, listed, done)
    finish(report, out, "errors", model)


@app.command()
def ytf(
    folder: Annotated[Path, typer.Argument(help="with splits.txt and aligned_images_DB/PERSON/VIDEO/")],
    frames: Annotated[int, typer.Option(min=1, help="detected frames of a track: the paper's 100 or 1000")] = 100,
    model: Model = "sface",
    out: Out = OUT,
) -> None:
    """Section 5.7: YouTube Faces, the mean similarity of all pairs of frames of two tracks, ten splits."""
    from models.evaluation import ytf as benchmark

    listed = benchmark.read_splits(folder)
    with counted(len(listed.images), "Embedding tracks") as done:
        report = benchmark.evaluate(Measured(model).pipeline_options(), folder, frames, listed, done)
    finish(report, out, "ytf", model)


@app.command()
def verification(
    folder: Folder, model: Model = "sface", only: Only = None, per_person: PerPerson = 10, out: Out = OUT
) -> None:
    """Table 3: VAL at FMR 0.001 over five splits of people not trained on, and what the card says of them."""
    from models.evaluation import results
    from models.evaluation.identities import read_identities
    from service.pipeline import open_embedder

    own = open_embedder(Measured(model).pipeline_options()).card.thresholds.verification
    (report,) = _verified([model], read_identities(folder, per_person, only), lambda _, one: one)
    finish(report, out, "verification", model)
    rates = results.error_rates(report, own, folder.name)
    print(results.toml(Path(model).stem, results.result(report, command()), rates))  # noqa: T201  # its output


@app.command()
def dimensions(
    models: Models, identities: People, only: Only = None, per_person: PerPerson = 10, out: Out = OUT
) -> None:
    """Table 5: VAL of models whose embeddings differ in size."""
    from models.evaluation.identities import read_identities
    from models.evaluation.trend import trend
    from service.pipeline import open_embedder

    sizes = [open_embedder(Measured(model).pipeline_options()).card.dimension for model in models]
    points = _points(models, sizes, read_identities(identities, per_person, only))
    finish(trend("dimension", points), out, "dimensions", *models)


@app.command("learning-curve")
def learning_curve(
    models: Annotated[list[str], typer.Argument(help="AMOUNT=MODEL, such as 400=compact-400.onnx")],
    identities: People,
    amount: Annotated[str, typer.Option(help="what was counted")] = "people trained on",
    only: Only = None,
    per_person: PerPerson = 10,
    out: Out = OUT,
) -> None:
    """Table 6: VAL of models trained on more and less."""
    from models.evaluation.identities import read_identities
    from models.evaluation.trend import trend

    amounts, names = zip(*(_amount(one) for one in models), strict=True)
    points = _points(names, amounts, read_identities(identities, per_person, only))
    finish(trend(amount, points, line="-"), out, "learning-curve", *models)


@app.command()
def tradeoff(models: Models, identities: People, only: Only = None, per_person: PerPerson = 10, out: Out = OUT) -> None:
    """Figure 4: VAL against the multiply-adds of a face, which are counted in the files."""
    from models.evaluation.flops import multiply_adds
    from models.evaluation.identities import read_identities
    from models.evaluation.trend import trend

    costs = [multiply_adds(Measured(model).pipeline_options().embedder.path) for model in models]
    points = _points(models, costs, read_identities(identities, per_person, only))
    finish(trend("multiply-adds", points), out, "tradeoff", *models)


@app.command()
def roc(models: Models, identities: People, only: Only = None, per_person: PerPerson = 10, out: Out = OUT) -> None:
    """Figure 5: the curves of several models in one picture."""
    from models.evaluation import roc as curves
    from models.evaluation.identities import read_identities

    people = read_identities(identities, per_person, only)
    found = _verified(models, people, lambda name, one: curves.curve(name, one.whole))
    finish(curves.Curves(tuple(found)), out, "roc", *models)


@app.command()
def cluster(
    folder: Annotated[Path, typer.Argument(help="FOLDER/PERSON/PHOTOGRAPH.jpg")],
    person: Annotated[str | None, typer.Option(help="whose cluster is shown; without a name the largest")] = None,
    threshold: Annotated[float | None, typer.Option(help="squared L2; without one the card's")] = None,
    model: Model = "sface",
    only: Only = None,
    per_person: PerPerson = 1000,
    out: Out = OUT,
) -> None:
    """Figure 7: one person's cluster, as agglomerative clustering finds it among all the photographs.

    Takes 16 bytes for each pair of photographs: 0.8 GB for 10,000 of them.
    """
    from models.evaluation import one_cluster
    from models.evaluation.identities import read_identities
    from service.clusterers import build
    from service.clusterers.base import Grouping
    from service.pipeline import open_embedder

    options = Measured(model).pipeline_options()
    known = open_embedder(options).card.thresholds.clustering.get("agglomerative")
    clusterer = build("agglomerative", Grouping(threshold_sq_l2=threshold if threshold is not None else known))
    identities = read_identities(folder, per_person, only)
    with counted(len(identities.files), "Embedding photographs") as done:
        report = one_cluster.evaluate(options, identities, clusterer, person, done)
    finish(report, out, "cluster", model)


def _points(models: Sequence[str], numbers: Sequence[int], identities: "Identities") -> list["Point"]:
    """VAL of each model, with its number."""
    from models.evaluation.trend import Point

    vals = _verified(models, identities, lambda label, one: (label, one.val))
    return [Point(label, number, val) for number, (label, val) in zip(numbers, vals, strict=True)]


def _verified(
    models: Sequence[str], identities: "Identities", keep: Callable[[str, "Verification"], Kept]
) -> list[Kept]:
    """What is kept of each model, by its label, on the same people; the pairs of one model at a time are in memory.

    All of them are known to be there before the first is measured.
    """
    from models.evaluation.verification import evaluate

    options = [Measured(model).pipeline_options() for model in models]
    kept = []
    for label, one in zip(_labels(models), options, strict=True):
        with counted(len(identities.files), f"Embedding photographs with {label}") as done:
            kept.append(keep(label, evaluate(one, identities, done)))
    return kept


def _labels(models: Sequence[str]) -> list[str]:
    """Their names without folders, unless two would be the same."""
    short = [Path(model).stem for model in models]
    return short if len(set(short)) == len(short) else list(models)


def _amount(text: str) -> tuple[int, str]:
    """AMOUNT=MODEL. Raises DatasetError for another form."""
    amount, separator, model = text.partition("=")
    if not (separator and model and amount.isdecimal() and int(amount)):
        raise DatasetError(f"{text} is not AMOUNT=MODEL, such as 400=compact-400.onnx.")
    return int(amount), model


def finish(report: "Report", out: Path, name: str, *models: str) -> None:
    """Written, then told."""
    from models.evaluation.report import write

    write(report, out, name, {"models": models, "command": command()})
    _print(report.rows())


def _print(rows: Sequence["Row"]) -> None:
    table = Table(*rows[0])
    for row in rows[1:]:
        table.add_row(*row)
    Console().print(table)


def command() -> str:
    """As it was given."""
    return shlex.join(["facenet-models", *sys.argv[1:]])
