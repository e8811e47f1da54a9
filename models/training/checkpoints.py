"""A run's state on the disk: whole or not at all, and only for the recipe and the faces that it belongs to."""

import hashlib
import io
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from models.architectures import Network, build
from models.errors import TrainingError
from models.faces import FaceSet
from models.files import write_atomically
from models.training.recipes import Recipe

FORMAT = 2
REMARKS = ("cost", "result")
"""Fields of a recipe that change nothing in its run."""

State = dict[str, Any]
"""What a run needs to go on: tensors, numbers and text alone, so that it can be read without running code."""


def save(path: Path, recipe: Recipe, faces: State, state: State) -> None:
    """faces: as `faces_of` has them. Raises OSError, a full disk's among them; the file that was there then stays."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "recipe": numbers(recipe), "faces": faces, "state": state}, buffer)
    write_atomically(path, buffer.getbuffer())


def load(path: Path, recipe: Recipe, faces: State) -> State:
    """The state that `save` was given.

    Raises TrainingError for what is no checkpoint, one of another recipe, or one that was begun on other faces.
    """
    content = _read(path)
    theirs, ours = content["recipe"], numbers(recipe)
    different = [name for name in ours if theirs.get(name) != ours[name]]
    if different:
        raise TrainingError(
            f"{path} was made with another recipe: {', '.join(different)} differ. "
            "Give --out another folder, or remove the checkpoint to start anew."
        )
    require_faces(path, content["faces"], faces)
    state: State = content["state"]
    return state


def looked_at(held_out: FaceSet) -> State:
    """What an export or another run must find again: how canvases were cut, and who is looked at while it trains."""
    return {"alignment": held_out.alignment.model_dump(), "people_looked_at": held_out.present}


def faces_of(training: FaceSet, held_out: FaceSet) -> State:
    """What a run must find again when it goes on: with that, whom it is trained on. Not how many faces of each."""
    names = "\n".join(training.present).encode()
    return looked_at(held_out) | {"people_trained_on": hashlib.sha256(names).hexdigest()}


def require_faces(path: Path, theirs: State, ours: State) -> None:
    """theirs: what the checkpoint `path` says of its faces. ours: as much of it as must be the same.

    Raises TrainingError for other ones: a set that people were added to holds out others, and those who were trained on
    would be measured as if they had not been.
    """
    different = [name.replace("_", " ") for name in ours if theirs[name] != ours[name]]
    if different:
        raise TrainingError(
            f"{path} was begun on other faces: {', '.join(different)} differ. Give --data the set that it was begun "
            "with, or train anew with --out another folder."
        )


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run has made. recipe: its numbers. faces: as `faces_of` has them. weights: the averaged network's.

    over: whether the run is at its end, by its schedule or because nothing better was to be expected.
    """

    recipe: State
    faces: State
    step: int
    over: bool
    weights: State

    def network(self) -> Network:
        """In evaluation mode."""
        network = build(self.recipe["architecture"], self.recipe["dimension"])
        network.load_state_dict(self.weights)
        return network.eval()


def trained(path: Path) -> Trained:
    """Of a checkpoint of any recipe. Raises TrainingError."""
    content = _read(path)
    state = content["state"]
    return Trained(content["recipe"], content["faces"], state["step"], state["over"], state["average"])


def numbers(recipe: Recipe) -> State:
    """A recipe as plain values, without its remarks. An objective carries the name of its kind."""
    plain = asdict(recipe)
    plain["towards"]["kind"] = type(recipe.towards).__name__
    return {one.name: plain[one.name] for one in fields(recipe) if one.name not in REMARKS}


def _read(path: Path) -> State:
    try:
        content: State = torch.load(path, map_location="cpu", weights_only=True)
        found = content["format"]
    except FileNotFoundError:
        raise TrainingError(f"{path} is missing. facenet-models train writes it.") from None
    except Exception as error:  # torch has no root of its own for what a bad file raises
        raise TrainingError(
            f"{path} is not a checkpoint that can be read ({type(error).__name__}). Remove it to start anew."
        ) from error
    if found != FORMAT:
        raise TrainingError(
            f"{path} is of format {found}, and this version reads {FORMAT}. Use the version that wrote it, or train "
            "anew with --out another folder."
        )
    return content
