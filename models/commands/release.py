# ruff: noqa: PLC0415  # PyTorch and ONNX Runtime's quantiser need seconds to import, and pulling models needs neither
# ruff: noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
"""The commands that write model files: export, quantise."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from models.commands.options import MODELS_FOLDER, FacesFolder
from models.errors import ExportRefused

app = typer.Typer()

CardFile = Annotated[
    Path | None, typer.Option(help="a TOML file with fields of the card, in the form of the catalogue")
]
Into = Annotated[Path, typer.Option(help="the folder that the file is written to")]


@app.command("export")
def export(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint.pt of a run", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Argument(help="the name of the model; the file is NAME.onnx")],
    data: FacesFolder,
    licence: Annotated[
        str, typer.Option(help="the licence of the weights")
    ] = "for research only, as the photographs are",
    card: CardFile = None,
    into: Into = MODELS_FOLDER,
) -> None:
    """Write the averaged network of a run as a model file. It is refused if ONNX Runtime and PyTorch differ."""
    from models.release.publish import publish

    path = into / f"{name}.onnx"
    publish(checkpoint, data, path, {"licence": licence, **_read_card_fields(card)})
    print(path)  # noqa: T201  # its output


@app.command("quantise")
def quantise(
    file: Annotated[Path, typer.Argument(help="an embedder's .onnx file", exists=True, dir_okay=False)],
    to: Annotated[Literal["fp16", "int8"], typer.Argument(help="fp16 for a GPU, int8 for a CPU")],
    data: FacesFolder,
    into: Into = MODELS_FOLDER,
    first: Annotated[
        int,
        typer.Option(
            min=0,
            help="for int8: how many of the first convolutions stay in float32; a larger number makes the model slower",
        ),
    ] = 1,
    only: Annotated[
        Path | None,
        typer.Option(
            help="a file with one name on each line, such as RUN/held_out.txt: people that the model was not trained on"
        ),
    ] = None,
) -> None:
    """Write NAME-fp16.onnx or NAME-int8.onnx. Refused if it verifies worse, or if its embeddings differ too much."""
    from models.release.quantise_file import QuantisationRequest, quantise_file

    named = "" if only is None else f" --only {only.name}"
    command = f"facenet-models quantise {file.name} {to} --data DIR --first {first}{named}"
    print(quantise_file(file, QuantisationRequest(to, first, only, command), data, into))  # noqa: T201  # its output


def _read_card_fields(card: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(card.read_text("utf-8")) if card else {}
    except ValueError as error:  # of TOML, or of UTF-8
        raise ExportRefused(
            f"{card} is not TOML: {error}. Write the fields of the card as in service/model_files/catalogue.toml."
        ) from None
