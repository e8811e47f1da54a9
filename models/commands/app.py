"""The application `facenet-models`. It joins all commands, prints an error on one line and sets the exit code."""

import sys
from importlib import metadata
from typing import Annotated, NoReturn

import typer

from models.commands import (
    calibration,
    clustering,
    evaluation,
    photographs,
    preparation,
    release,
    searches,
    training,
    zoo,
)
from service.domain.errors import FacenetError

OPTIONAL_PACKAGES = {"matplotlib", "onnx", "onnxscript", "pytorch_metric_learning", "tensorboard", "torch"}
"""Packages that only some commands need. `make run` installs matplotlib and onnx; `make .venv/train` installs all."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Make and measure models: pull, prepare, train, export, quantise, adopt, evaluate, calibrate, profile.",
    pretty_exceptions_enable=False,
)
for stage in (zoo, preparation, training, release, calibration):
    app.add_typer(stage.app)
for measurement in (clustering, searches, photographs):
    evaluation.app.add_typer(measurement.app)
app.add_typer(evaluation.app, name="evaluate")


def _print_version(is_asked: bool) -> None:  # noqa: FBT001  # typer's way
    if is_asked:
        print(f"facenet-models {metadata.version('facenet-service')}")  # noqa: T201  # its output
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[  # noqa: FBT002  # typer's way
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version, and end")
    ] = False,
) -> None:
    """Take the options that belong to no command."""


def main() -> None:
    """Run the command. An expected error is one line on standard error.

    The exit code is 1 for an expected error, and 2 for a package that is not installed.
    """
    try:
        app()
    except (FacenetError, OSError) as error:
        _end(str(error), 1)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in OPTIONAL_PACKAGES:
            raise
        _end(
            f"This command needs the Python package {package}, which is not installed. "
            "Run: make .venv/train (make train and make test also install it).",
            2,
        )


def _end(message: str, exit_code: int) -> NoReturn:
    print(f"facenet-models: {message}", file=sys.stderr)  # noqa: T201  # the error of the command
    sys.exit(exit_code)
