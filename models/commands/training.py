"""The command that trains a network: train. The container of the training job runs it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from models.commands.options import MODELS_FOLDER, FacesFolder

app = typer.Typer()


@app.command("train")
def train(  # noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
    recipe: Annotated[
        str, typer.Argument(help="a recipe of models/training/recipes, such as smoke or distil-compact-start")
    ],
    data: FacesFolder,
    out: Annotated[Path, typer.Option(help="the folder of the run; a stopped run continues there")],
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="the checkpoint that the recipe begins with; by default, the run of the earlier recipe beside --out",
        ),
    ] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="the device of the network")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="how many threads compute the network on a CPU")] = 1,
    loader_threads: Annotated[
        int, typer.Option(min=1, help="how many threads cut and augment faces; a GPU needs several")
    ] = 1,
    models: Annotated[Path, typer.Option(help="the folder with the teacher's file, NAME.onnx")] = MODELS_FOLDER,
) -> None:
    """Train a network by a recipe. With torchrun, several processes train together."""
    from models.training.job import ComputeOptions, TrainingPaths, start_training  # noqa: PLC0415  # PyTorch

    paths, compute = TrainingPaths(data, out, models, start), ComputeOptions(device, threads, loader_threads)
    print(start_training(recipe, paths, compute))  # noqa: T201  # its output
