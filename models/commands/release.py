# ruff: noqa: PLC0415  # PyTorch and ONNX Runtime's quantiser need seconds to import, and pulling models needs neither
# ruff: noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
"""The commands that write model files: export, quantise, adopt."""

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from models.commands.options import MODELS_FOLDER, FacesFolder, Fpir, PipelineChoice, UnseenPeople
from models.errors import AdoptionRefused, ExportRefused
from models.progress import progress_bar
from service.model_files.card import Alignment, BoxAlignment, FivePointAlignment

if TYPE_CHECKING:
    from models.release.adoption.published import PublishedNetwork

app = typer.Typer()

CardFile = Annotated[
    Path | None, typer.Option(help="a TOML file with fields of the card, in the form of the catalogue")
]
Into = Annotated[Path, typer.Option(help="the folder that the file is written to")]

Published = Annotated[
    Path, typer.Argument(help="an .onnx file: aligned faces in, embeddings out", exists=True, dir_okay=False)
]
Name = Annotated[str, typer.Option(prompt="Name of the model", help="the name of the model; the file is NAME.onnx")]
Mean = Annotated[
    str,
    typer.Option(
        prompt="Mean that is subtracted from pixels of 0 to 255, such as 127.5 (0: the network does it itself)",
        help="subtracted from the pixels (0 to 255): one number, or one for each channel, as in 123.7,116.3,103.5",
    ),
]
Std = Annotated[
    str,
    typer.Option(
        prompt="Number that the difference is divided by, such as 127.5 (1: the network does it itself)",
        help="what the difference is divided by: one number, or one for each channel",
    ),
]
Colour = Annotated[
    Literal["rgb", "bgr"], typer.Option(prompt="Order of the colours", help="the order of the colours in the input")
]
Cut = Literal["five_point", "box"]
AlignmentOption = Annotated[
    Cut,
    typer.Option(
        prompt="Alignment of the faces (five_point: InsightFace, OpenCV; box: facenet)",
        help="five_point: the five landmarks are moved to fixed places, as InsightFace does; box: the upright box",
    ),
]
Licence = Annotated[str, typer.Option(prompt="Licence of the weights", help="the licence of the weights, in the card")]
Margin = Annotated[float, typer.Option(min=-0.4, max=1, help="for box: added on each side, as a fraction of the side")]
Side = Annotated[
    int | None, typer.Option(min=16, max=1024, help="the side of the input in pixels, if the file does not say it")
]
Output = Annotated[str | None, typer.Option(help="the output with the embeddings, if there are several")]
Training = Annotated[str, typer.Option(help="what the network was trained on, in the card")]
FewReferences = Annotated[int, typer.Option(min=1, help="how many people are enrolled")]

TEMPLATE = (0.0, 0.0, 112.0, 112.0)
"""The whole template of the five points: the crop of InsightFace."""


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


@app.command("adopt")
def adopt(
    file: Published,
    folder: UnseenPeople,
    name: Name,
    mean: Mean,
    std: Std,
    colour: Colour,
    alignment: AlignmentOption,
    licence: Licence,
    margin: Margin = 0.0,
    side: Side = None,
    output: Output = None,
    training: Training = "by others",
    references: FewReferences = 100,
    fpir: Fpir = 0.01,
    into: Into = MODELS_FOLDER,
) -> None:
    """Make a model file of an ONNX file of somebody else, and measure its thresholds on FOLDER.

    Refused if it computes something else, or does not tell people apart. docs/own-models.md describes the options.
    """
    from models.calibration.thresholds import LabelledEmbeddings, embed_sample
    from models.release.adoption.adopt import Adoption
    from models.release.adoption.adopt import adopt as adopt_file
    from models.release.adoption.convention import PixelConvention
    from models.release.adoption.people import MeasuredPeople, draw_people
    from models.release.adoption.published import PublishedNetwork

    path = _path_of(name, into)
    convention = PixelConvention.of(_numbers("--mean", mean), _numbers("--std", std), colour)
    network = PublishedNetwork.read(file, side, output)
    sample = draw_people(folder, references)

    def embed(candidate: Path) -> LabelledEmbeddings:
        with progress_bar(len(sample.files), f"Embedding photographs with {name}") as done:
            return embed_sample(PipelineChoice(str(candidate)).pipeline_options(), sample, done)

    adoption = Adoption(network, convention, _alignment(alignment, margin, network), name, licence, training)
    card = adopt_file(adoption, MeasuredPeople(embed, folder.name, references, fpir), path)
    print(f"{path}: {card.dimension} numbers, threshold of verification {card.thresholds.verification:g}")  # noqa: T201


def _alignment(cut: Cut, margin: float, network: "PublishedNetwork") -> Alignment:
    if cut == "box":
        return BoxAlignment(margin=margin, height=network.height, width=network.width)
    return FivePointAlignment(view=TEMPLATE, height=network.height, width=network.width)


def _path_of(name: str, folder: Path) -> Path:
    """Return the path of a model of one's own. Raises AdoptionRefused if it cannot have this name."""
    from models.zoo.catalogue import read_zoo

    if Path(name).name != name:
        raise AdoptionRefused(f"--name {name}: a name has no slash. --into names the folder.")
    if name in read_zoo().models:
        raise AdoptionRefused(
            f"--name {name}: the catalogue has a model of this name, and the service accepts only its own file. Choose "
            "another name."
        )
    return folder / f"{name}.onnx"


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{option} takes numbers, separated by commas: 127.5 or 123.7,116.3,103.5") from None


def _read_card_fields(card: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(card.read_text("utf-8")) if card else {}
    except ValueError as error:  # of TOML, or of UTF-8
        raise ExportRefused(
            f"{card} is not TOML: {error}. Write the fields of the card as in service/model_files/catalogue.toml."
        ) from None
