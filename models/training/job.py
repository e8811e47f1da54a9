"""A run of training from names and folders: what the command and the container start."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from models.errors import TrainingError
from models.faces import FaceSet
from models.files import sweep, write_atomically
from models.progress import counted
from models.training import checkpoints
from models.training.distributed import World, device, joined
from models.training.held_out import divided, prepared
from models.training.journal import JOURNAL, PICTURE
from models.training.objectives.base import Canvases
from models.training.objectives.build import objective
from models.training.recipes import Recipe, recipe_of
from models.training.targets import Asked, check_teacher, targets
from models.training.train import CHECKPOINT, Job, start_of, train
from service.card import EmbedderCard
from service.domain import Embeddings
from service.model_file import open_model

HELD_OUT = "held_out.txt"
"""The names of the people held out, where there are any: as `evaluate verification --only` takes them."""

LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class Places:
    """data: what prepare wrote. out: of the run. models: of teachers. start: the checkpoint to begin with."""

    data: Path
    out: Path
    models: Path
    start: Path | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """device: cpu or cuda. threads: of the network on a processor. loader_threads: that cut and augment faces."""

    device: str
    threads: int
    loader_threads: int = 1


def run(name: str, places: Places, machine: Machine) -> Path:
    """Trains the recipe `name` to its end and returns its checkpoint. Raises ModelsError."""
    recipe = recipe_of(name)
    start = _start(recipe, places)
    where = device(machine.device)
    torch.set_num_threads(machine.threads)
    cv2.setNumThreads(1)  # the loader's threads are the ones that work side by side
    with joined(where) as world:
        training, held_out = _faces(recipe, places.data)
        with _own(places.out, world):
            _require_same(recipe, places.out / CHECKPOINT, start, training, held_out)
            if recipe.held_out and not world.rank:
                write_atomically(places.out / HELD_OUT, "\n".join(held_out.present).encode())

            def ask(teacher: str, canvases: Canvases, made_of: tuple[NDArray[np.generic], ...]) -> Embeddings:
                with world.first():
                    return _answer(places, teacher, Asked(canvases, training.alignment, made_of), recipe.dimension)

            towards = objective(recipe, training, ask)
            job = Job(recipe, training, held_out, towards, places.out, where, world, start, machine.loader_threads)
            with counted(recipe.schedule.steps, f"Training {name}") as done:
                train(job, done)
    return places.out / CHECKPOINT


@contextmanager
def _own(out: Path, world: World) -> Iterator[None]:
    """Makes the run's folder, keeps other runs out, and tells in one line what goes wrong with writing.

    Raises TrainingError, a full disk's case among its reasons.
    """
    if world.rank:  # the first process is the one that writes
        yield
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        with FileLock(out / LOCK, blocking=False, thread_local=False):
            sweep(out, CHECKPOINT, HELD_OUT, JOURNAL, PICTURE)
            yield
    except Timeout:
        raise TrainingError(f"Another run writes to {out}. Wait for it, or give --out another folder.") from None
    except OSError as error:
        raise TrainingError(
            f"{error.filename or out}: {error.strerror}. Mend that and run the same command again: it goes on from its "
            "last checkpoint, where it has one."
        ) from None


def _faces(recipe: Recipe, data: Path) -> tuple[FaceSet, FaceSet]:
    """To train on, and of the people held out."""
    training, held_out = divided(prepared(data), recipe.held_out, recipe.seed)
    return (training if recipe.people is None else training.some_people(recipe.people, recipe.seed)), held_out


def _require_same(recipe: Recipe, own: Path, start: Path | None, training: FaceSet, held_out: FaceSet) -> None:
    """Refuses checkpoints that are not this run's, before anything is written beside them or a teacher is asked."""
    if start is not None:
        start_of(recipe, start, held_out)
    if own.exists():
        checkpoints.load(own, recipe, checkpoints.faces_of(training, held_out))


def _start(recipe: Recipe, places: Places) -> Path | None:
    """The checkpoint to begin with: the one that was given, or that of the recipe's run beside this one.

    None where the recipe has none, or the run was begun: it then goes on from its own.
    """
    if recipe.begins_with is None:
        if places.start is not None:
            raise TrainingError(f"{recipe.name} begins with random weights: leave --from out.")
        return None
    if (places.out / CHECKPOINT).exists():
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
