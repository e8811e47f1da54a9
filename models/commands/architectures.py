"""The command that counts what a network costs: profile."""

from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer()


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
