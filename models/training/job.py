"""Start a training run. The input is the name of a recipe, and folders. `facenet-models train` runs this.

`start_training` finds the recipe and the device, joins the processes (`distributed.py`), loads and splits the faces
(`held_out.py`), builds the objective (`objectives/build.py`), and calls `run_training_loop` (`loop.py`).

OUT/held_out.txt     the names of the held-out people
OUT/.lock            the lock that prevents a second run in the same folder
"""

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
from models.files import remove_temporary_files, write_atomically
from models.progress import progress_bar
from models.training.checkpoints import faces_identity, load_checkpoint
from models.training.data.canvases import Canvases
from models.training.data.face_set import FaceSet
from models.training.distributed import World, find_device, join_processes
from models.training.held_out import load_prepared_faces, split_held_out
from models.training.journal import JOURNAL, PICTURE
from models.training.loop import CHECKPOINT, TrainingJob, read_start_run, run_training_loop
from models.training.objectives.build import EmbedByTeacher, build_objective
from models.training.objectives.teacher import TeacherRequest, check_teacher, teacher_embeddings
from models.training.recipes.recipes import find_recipe
from models.training.recipes.settings import Recipe
from service.domain.embedding import Embeddings
from service.model_files.card import EmbedderCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model

HELD_OUT_FILE = "held_out.txt"
"""The names of the held-out people, if there are any. `evaluate verification --only` takes this file."""

LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class TrainingPaths:
    """The folders and files of a run.

    data: the folder that `prepare` wrote to.
    out: the folder of the run.
    models: the folder of the teachers, NAME.onnx.
    start: the checkpoint to begin with. If it is None and the recipe has `begins_with`, the checkpoint of that recipe's
    run in a folder beside `out` is used.
    """

    data: Path
    out: Path
    models: Path
    start: Path | None = None


@dataclass(frozen=True, slots=True)
class ComputeOptions:
    """What a run computes on.

    device: cpu or cuda.
    threads: of the network on a CPU.
    loader_threads: how many threads cut and augment faces.
    """

    device: str
    threads: int
    loader_threads: int = 1


def start_training(name: str, paths: TrainingPaths, options: ComputeOptions) -> Path:
    """Train by the recipe `name` until the run is finished. Returns the path of the checkpoint. Raises ModelsError."""
    recipe = find_recipe(name)
    start = _find_start(recipe, paths)
    device = find_device(options.device)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)  # the loader has threads of its own
    with join_processes(device) as world:
        training, held_out = _load_faces(recipe, paths.data)
        with _lock_run_folder(paths.out, world):
            _require_matching_checkpoints(recipe, paths.out / CHECKPOINT, start, training, held_out)
            if recipe.held_out_share and world.rank == 0:
                write_atomically(paths.out / HELD_OUT_FILE, "\n".join(held_out.names_with_faces).encode())
            objective = build_objective(recipe, training, _teacher_of_run(recipe, training, paths, world))
            job = TrainingJob(
                recipe, training, held_out, objective, paths.out, device, world, start, options.loader_threads
            )
            with progress_bar(recipe.schedule.steps, f"Training {name}") as done:
                run_training_loop(job, done)
    return paths.out / CHECKPOINT


def _find_start(recipe: Recipe, paths: TrainingPaths) -> Path | None:
    """Return the checkpoint to begin with: `paths.start`, or the checkpoint of the recipe's run beside this run.

    Returns None if the recipe begins with random weights, or if the run has a checkpoint of its own to continue from.
    """
    if recipe.begins_with is None:
        if paths.start is not None:
            raise TrainingError(f"The recipe {recipe.name} begins with random weights. Do not give --from.")
        return None
    if (paths.out / CHECKPOINT).exists():
        return None
    start = paths.start or paths.out.parent / recipe.begins_with / CHECKPOINT
    if not start.is_file():
        raise TrainingError(
            f"The recipe {recipe.name} begins with the network of the recipe {recipe.begins_with}, and {start} is "
            f"missing. Train {recipe.begins_with} first, or give --from CHECKPOINT."
        )
    return start


def _load_faces(recipe: Recipe, data: Path) -> tuple[FaceSet, FaceSet]:
    """Return the faces to train on, and the faces of the held-out people."""
    training, held_out = split_held_out(load_prepared_faces(data), recipe.held_out_share, recipe.seed)
    if recipe.training_people is not None:
        training = training.draw_people(recipe.training_people, recipe.seed)
    return training, held_out


@contextmanager
def _lock_run_folder(out: Path, world: World) -> Iterator[None]:
    """Make the folder of the run, and lock it against other runs.

    Raises TrainingError if another run has the lock, or instead of an OSError inside the context.
    """
    if world.rank:  # only the first process writes
        yield
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        with FileLock(out / LOCK, blocking=False, thread_local=False):
            remove_temporary_files(out, CHECKPOINT, HELD_OUT_FILE, JOURNAL, PICTURE)
            yield
    except Timeout:
        raise TrainingError(f"Another run writes to {out}. Wait for it, or give --out another folder.") from None
    except OSError as error:
        raise TrainingError(
            f"{error.filename or out}: {error.strerror}. Correct this and run the same command again. It continues "
            "from its last checkpoint, if it has one."
        ) from None


def _require_matching_checkpoints(
    recipe: Recipe, own: Path, start: Path | None, training: FaceSet, held_out: FaceSet
) -> None:
    """Raise TrainingError if a checkpoint does not belong to this run.

    It is called before the run writes to the folder, and before a teacher embeds the faces, which takes a long time.
    """
    if start is not None:
        read_start_run(recipe, start, held_out)
    if own.exists():
        load_checkpoint(own, recipe, faces_identity(training, held_out))


def _teacher_of_run(recipe: Recipe, training: FaceSet, paths: TrainingPaths, world: World) -> EmbedByTeacher:
    def embed_by_teacher(teacher: str, canvases: Canvases, made_of: tuple[NDArray[np.generic], ...]) -> Embeddings:
        request = TeacherRequest(canvases, training.alignment, made_of)
        with world.first_process_first():  # the first process computes the embeddings, the others read its files
            model = open_model(
                paths.models / f"{teacher}.onnx", EmbedderCard, Execution(threads_per_call=torch.get_num_threads())
            )
            check_teacher(model.card, recipe.dimension)
            with progress_bar(request.files, f"Embedding faces by {teacher}") as done:
                return teacher_embeddings(model, request, paths.data, done)

    return embed_by_teacher
