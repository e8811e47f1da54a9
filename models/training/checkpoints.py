"""A run's state on the disk: whole or not at all, and only for the recipe that it belongs to."""

import io
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from models.architectures import Network, build
from models.errors import TrainingError
from models.files import write_atomically
from models.training.recipes import Recipe

FORMAT = 1
REMARKS = ("cost", "result")
"""Fields of a recipe that change nothing in its run."""

State = dict[str, Any]
"""What a run needs to go on: tensors, numbers and text alone, so that it can be read without running code."""


def save(path: Path, recipe: Recipe, state: State) -> None:
    """Raises OSError, a full disk's among them; the file that was there then stays."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "recipe": numbers(recipe), "state": state}, buffer)
    write_atomically(path, buffer.getbuffer())


def load(path: Path, recipe: Recipe) -> State:
    """The state that `save` was given. Raises TrainingError for what is no checkpoint, or one of another recipe."""
    content = _read(path)
    theirs, ours = content["recipe"], numbers(recipe)
    different = [name for name in ours if theirs.get(name) != ours[name]]
    if different:
        raise TrainingError(
            f"{path} was made with another recipe: {', '.join(different)} differ. "
            "Give --out another folder, or remove the checkpoint to start anew."
        )
    state: State = content["state"]
    return state


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run has made. recipe: its numbers. weights: the averaged network's."""

    recipe: State
    step: int
    weights: State

    def network(self) -> Network:
        """In evaluation mode."""
        network = build(self.recipe["architecture"], self.recipe["dimension"])
        network.load_state_dict(self.weights)
        return network.eval()


def trained(path: Path) -> Trained:
    """Of a checkpoint of any recipe. Raises TrainingError."""
    content = _read(path)
    return Trained(content["recipe"], content["state"]["step"], content["state"]["average"])


def numbers(recipe: Recipe) -> State:
    """A recipe as plain values, without its remarks. An objective carries the name of its kind."""
    plain = asdict(recipe)
    plain["towards"]["kind"] = type(recipe.towards).__name__
    return {one.name: plain[one.name] for one in fields(recipe) if one.name not in REMARKS}


def _read(path: Path) -> State:
    try:
        content: State = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != FORMAT:
            raise ValueError(content["format"])  # noqa: TRY301  # told like every other file that is none of ours
    except FileNotFoundError:
        raise TrainingError(f"{path} is missing. facenet-models train writes it.") from None
    except Exception as error:  # torch has no root of its own for what a bad file raises
        raise TrainingError(f"{path} is not a checkpoint that can be read ({type(error).__name__}).") from error
    return content
