"""The checkpoint: the file with the state of a run. Only the same recipe on the same faces can continue from it."""

import hashlib
import io
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from models.architectures import Network, build_network
from models.errors import TrainingError
from models.files import write_atomically
from models.training.data.face_set import FaceSet
from models.training.recipes.settings import Recipe

FORMAT = 3
"""The format of the file. Raise it when a name or a meaning in the file changes, such as a field of a recipe."""

REMARKS = ("cost", "result")
"""The fields of a recipe that change nothing in its run. A checkpoint does not hold them."""

State = dict[str, Any]
"""Tensors, numbers and text by name. It holds no other objects, so that reading a file runs no code."""


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """The state of a run in its checkpoint.

    recipe: its values, as `recipe_values` returns them.
    faces: as `faces_identity` returns them.
    finished: whether the run ended, by its schedule or by early stopping.
    weights: of the averaged network.
    """

    recipe: State
    faces: State
    step: int
    finished: bool
    weights: State

    def network(self) -> Network:
        """Return the averaged network in evaluation mode."""
        network = build_network(self.recipe["architecture"], self.recipe["dimension"])
        network.load_state_dict(self.weights)
        return network.eval()


def save_checkpoint(path: Path, recipe: Recipe, faces: State, state: State) -> None:
    """Write a checkpoint. Raises OSError, for example if the disk is full. The earlier file is then kept.

    faces: as `faces_identity` returns them.
    state: as `Trainer.state` returns it.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "recipe": recipe_values(recipe), "faces": faces, "state": state}, buffer)
    write_atomically(path, buffer.getbuffer())


def load_checkpoint(path: Path, recipe: Recipe, faces: State) -> State:
    """Return the state that `save_checkpoint` wrote.

    Raises TrainingError if the file is not a checkpoint, or if it belongs to another recipe or other faces.
    """
    content = _read(path)
    stored, expected = content["recipe"], recipe_values(recipe)
    different = [name for name in expected if stored.get(name) != expected[name]]
    if different:
        raise TrainingError(
            f"{path} was made with another recipe. These values differ: {', '.join(different)}. Give --out another "
            "folder, or remove the checkpoint to start again."
        )
    require_same_faces(path, content["faces"], faces)
    state: State = content["state"]
    return state


def read_trained_run(path: Path) -> TrainedRun:
    """Read a checkpoint of any recipe. Raises TrainingError if the file is not a checkpoint."""
    content = _read(path)
    state = content["state"]
    return TrainedRun(content["recipe"], content["faces"], state["step"], state["finished"], state["weight_average"])


def held_out_identity(held_out: FaceSet) -> State:
    """Return what must stay the same for an export or a later run: the alignment and the names of held-out people."""
    return {"alignment": held_out.alignment.model_dump(), "held_out_people": held_out.names_with_faces}


def faces_identity(training: FaceSet, held_out: FaceSet) -> State:
    """Return what must stay the same if a run continues: `held_out_identity` and the names of the training people.

    The number of faces of each person may change.
    """
    names = "\n".join(training.names_with_faces).encode()
    return held_out_identity(held_out) | {"training_people": hashlib.sha256(names).hexdigest()}


def require_same_faces(path: Path, stored: State, expected: State) -> None:
    """Raise TrainingError if the run of a checkpoint was started on other faces.

    If people are added to a set, other people are held out. Some of them were in the training set before. So the
    evaluation would be on people that the network was trained on.

    path: of the checkpoint.
    stored: the faces in the checkpoint.
    expected: the values that must be equal. It may hold only some of the names in `stored`.
    """
    different = [name.replace("_", " ") for name in expected if stored[name] != expected[name]]
    if different:
        raise TrainingError(
            f"The run of {path} was started on other faces. These values differ: {', '.join(different)}. Give --data "
            "the set of that run, or train again with another folder for --out."
        )


def recipe_values(recipe: Recipe) -> State:
    """Return a recipe as plain values, without its remarks. `kind` is the class of the settings of its objective."""
    values = asdict(recipe)
    values["objective"]["kind"] = type(recipe.objective).__name__
    return {field.name: values[field.name] for field in fields(recipe) if field.name not in REMARKS}


def _read(path: Path) -> State:
    try:
        content: State = torch.load(path, map_location="cpu", weights_only=True)
        file_format = content["format"]
    except FileNotFoundError:
        raise TrainingError(f"{path} is missing. facenet-models train writes it.") from None
    except Exception as error:  # torch.load raises errors of many classes for a damaged file
        raise TrainingError(
            f"{path} is not a checkpoint, or it is damaged ({type(error).__name__}). Remove it to start again."
        ) from error
    if file_format != FORMAT:
        raise TrainingError(
            f"{path} has format {file_format}, and this version reads format {FORMAT}. Use the version that wrote it, "
            "or train again with another folder for --out."
        )
    return content
