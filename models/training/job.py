"""A run of training from names and folders: what the command and the container start."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import TrainingError
from models.files import write_atomically
from models.progress import counted
from models.training.distributed import device, joined
from models.training.held_out import prepared
from models.training.objectives.base import Canvases
from models.training.objectives.build import objective
from models.training.recipes import Recipe, recipe_of
from models.training.targets import Asked, check_teacher, targets
from models.training.train import CHECKPOINT, Job, train
from service.card import EmbedderCard
from service.domain import Embeddings
from service.model_file import open_model

HELD_OUT = "held_out.txt"
"""The names of the people held out, as `evaluate verification --only` takes them."""


@dataclass(frozen=True, slots=True)
class Places:
    """data: what prepare wrote. out: of the run. models: of teachers. start: the checkpoint to begin with."""

    data: Path
    out: Path
    models: Path
    start: Path | None = None


def run(name: str, places: Places, device_name: str, threads: int) -> Path:
    """Trains the recipe `name` to its end and returns its checkpoint. Raises ModelsError or OSError."""
    recipe = recipe_of(name)
    start = _start(recipe, places)
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)  # the loader's threads are the ones that work side by side
    where = device(device_name)
    with joined(where) as world:
        training, held_out = prepared(places.data, recipe.held_out, recipe.seed)
        if recipe.people is not None:
            training = training.some_people(recipe.people, recipe.seed)
        write_atomically(places.out / HELD_OUT, "\n".join(held_out.present).encode())

        def ask(teacher: str, canvases: Canvases, made_of: tuple[NDArray[np.generic], ...]) -> Embeddings:
            with world.first():
                return _answer(places, teacher, Asked(canvases, training.alignment, made_of), recipe.dimension)

        job = Job(recipe, training, held_out, objective(recipe, training, ask), places.out, where, world, start)
        with counted(recipe.schedule.steps, f"Training {name}") as done:
            train(job, done)
    return places.out / CHECKPOINT


def _start(recipe: Recipe, places: Places) -> Path | None:
    """The checkpoint to begin with: the one that was given, or that of the recipe's run beside this one."""
    if recipe.begins_with is None:
        if places.start is not None:
            raise TrainingError(f"{recipe.name} begins with random weights: leave --from out.")
        return None
    start = places.start or places.out.parent / recipe.begins_with / CHECKPOINT
    if not start.is_file():
        raise TrainingError(
            f"{recipe.name} begins with the network of {recipe.begins_with}, and {start} is missing. "
            "Train that one first, or give --from CHECKPOINT."
        )
    return start


def _answer(places: Places, teacher: str, asked: Asked, dimension: int) -> Embeddings:
    model = open_model(places.models / f"{teacher}.onnx", EmbedderCard, "cpu", torch.get_num_threads())
    check_teacher(model.card, dimension)
    with counted(asked.parts, f"Asking {teacher}") as done:
        return targets(model, asked, places.data, done)
