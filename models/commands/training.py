"""The commands about networks: train, which the container of the training job runs, and profile."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

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


@app.command("profile")
def profile(
    names: Annotated[
        list[str],
        typer.Argument(
            help="names of networks: nn1 nn2 nn3 nn4 nns1 nns2 compact", default_factory=lambda: ["nn1", "nn2"]
        ),
    ],
    dimension: Annotated[int, typer.Option(min=2, max=4096, help="the dimension of the embeddings")] = 128,
) -> None:
    """Print the weights and multiply-adds of each row of a network, beside the numbers that the paper prints."""
    from models.architectures import find_architecture  # noqa: PLC0415  # PyTorch needs seconds to import
    from models.architectures.profile import profile_network, profile_table  # noqa: PLC0415

    for name in names:
        Console().print(profile_table(profile_network(find_architecture(name), dimension)))
