# ruff: noqa: PLC0415  # PyTorch needs seconds to import, and pulling models needs none of it
# ruff: noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
"""What makes a network: prepare, profile, train, export, quantise. The container of the training job runs these."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from models.errors import ExportRefused
from models.options import MODELS, Measured
from models.progress import counted

app = typer.Typer()

Data = Annotated[Path, typer.Option(help="the folder that prepare wrote", exists=True, file_okay=False)]
CardFile = Annotated[Path | None, typer.Option(help="a TOML file: fields of the card, as models/zoo.toml has them")]


@app.command()
def prepare(
    folder: Annotated[Path, typer.Argument(help="FOLDER/PERSON/PHOTOGRAPH.jpg", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Argument(help="the folder for the faces, in shards; a run that was stopped goes on")],
    crop: Annotated[
        Literal["five_point", "box", "aligned"],
        typer.Option(help="by five points, the tight box, or photographs that are aligned canvases already"),
    ] = "five_point",
    canvas_px: Annotated[int, typer.Option(min=32, max=512, help="the side of a canvas")] = 128,
    embedder: Annotated[str, typer.Option(help="judges the labels: of the zoo, or an .onnx file")] = "sface",
) -> None:
    """Detects, aligns and cuts the faces of a folder of identities, and says what was left out and what looks wrong."""
    from models.preparation.folder import read_folder
    from models.preparation.prepare import Preparation
    from models.preparation.prepare import prepare as prepared

    how = Preparation(pipeline=Measured(embedder).pipeline_options(), crop=crop, canvas_px=canvas_px)
    photographs = read_folder(folder)
    with counted(len(photographs), "Preparing faces") as done:
        report = prepared(photographs, out, how, done)
    table = Table("prepared", "")
    for name, value in report.lines():
        table.add_row(name, value)
    Console().print(table)


@app.command()
def profile(
    names: Annotated[
        list[str], typer.Argument(help="nn1 nn2 nn3 nn4 nns1 nns2 compact", default_factory=lambda: ["nn1", "nn2"])
    ],
    dimension: Annotated[int, typer.Option(min=2, max=4096, help="of the embeddings")] = 128,
) -> None:
    """Prints the weights and multiply-adds of each row of a network, beside what the paper prints."""
    from models.architectures import architecture
    from models.profile import profile as profiled
    from models.profile import table

    for name in names:
        Console().print(table(profiled(architecture(name), dimension)))


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="of models/training/recipes.py, such as smoke or distil-compact")],
    data: Data,
    out: Annotated[Path, typer.Option(help="the folder of the run; a run that was stopped goes on from it")],
    start: Annotated[
        Path | None,
        typer.Option(
            "--from", help="the checkpoint of the recipe that this one begins with; it is looked for beside --out"
        ),
    ] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="where the network runs")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="of the network on a processor")] = 1,
    loader_threads: Annotated[int, typer.Option(min=1, help="that cut and augment faces; a GPU wants several")] = 1,
    models: Annotated[Path, typer.Option(help="where a teacher's NAME.onnx lies")] = MODELS,
) -> None:
    """Trains a network by a recipe. Under torchrun, on several processes."""
    from models.training.job import Machine, Places, run

    print(run(recipe, Places(data, out, models, start), Machine(device, threads, loader_threads)))  # noqa: T201  # its output


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint.pt of a run", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Argument(help="of the model; the file is NAME.onnx")],
    data: Data,
    licence: Annotated[str, typer.Option(help="of the weights")] = "for research only, as the photographs are",
    card: CardFile = None,
    into: Annotated[Path, typer.Option(help="the folder that the file is written to")] = MODELS,
) -> None:
    """Writes the averaged network of a run as the ONNX file that the service loads, once both say the same."""
    from models.training.publish import publish

    path = into / f"{name}.onnx"
    publish(checkpoint, data, path, {"licence": licence, **_fields(card)})
    print(path)  # noqa: T201  # its output


@app.command()
def quantise(
    file: Annotated[Path, typer.Argument(help="an embedder's .onnx file", exists=True, dir_okay=False)],
    to: Annotated[Literal["fp16", "int8"], typer.Argument(help="fp16 for a GPU, int8 for a processor")],
    data: Data,
    into: Annotated[Path, typer.Option(help="the folder that the file is written to")] = MODELS,
    first: Annotated[
        int, typer.Option(min=0, help="of int8: so many of the first convolutions stay float32; more of them say more")
    ] = 1,
    only: Annotated[
        Path | None,
        typer.Option(help="a file of names, one a line, such as RUN/held_out.txt: the people it was not trained on"),
    ] = None,
) -> None:
    """Writes NAME-fp16.onnx or NAME-int8.onnx, unless it embeds otherwise or verifies worse than its parent."""
    from models.training.shrink import Shrinking, shrink

    named = "" if only is None else f" --only {only.name}"
    asked = Shrinking(to, first, only, f"facenet-models quantise {file.name} {to} --data DIR --first {first}{named}")
    print(shrink(file, asked, data, into))  # noqa: T201  # its output


def _fields(card: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(card.read_text("utf-8")) if card else {}
    except ValueError as error:  # of TOML, or of UTF-8
        raise ExportRefused(
            f"{card} is not TOML: {error}. Write fields of the card as models/zoo.toml has them."
        ) from None
