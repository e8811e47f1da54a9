"""`facenet-models train`: a recipe, prepared faces, and a folder for what comes of it. The container runs this.

OUT/checkpoint.pt    the whole state, written anew after each look at the people held out
OUT/journal.jsonl    losses, VAL and thresholds; OUT/tensorboard/ and OUT/curves.png show them
OUT/held_out.txt     the names of the people held out
"""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.architectures import architecture, build
from models.augmentation import Views
from models.errors import TrainingError
from models.faces import FaceSet
from models.training import checkpoints
from models.training.distributed import ALONE, World
from models.training.held_out import HeldOut, curves, held_out
from models.training.journal import Figures, Journal, Means
from models.training.loader import Batch, Loader
from models.training.objectives.base import Objective
from models.training.recipes import Recipe
from models.training.run import Run
from service.card import BoxCrop, FivePoint

CHECKPOINT = "checkpoint.pt"
JOURNAL_EVERY = 20
"""Steps between two entries."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What a run needs beside its recipe.

    objective: made for `training`. start: the checkpoint to begin from. loader_threads: that cut and augment faces.
    """

    recipe: Recipe
    training: FaceSet
    held_out: FaceSet
    objective: Objective
    out: Path
    device: torch.device
    world: World = ALONE
    start: Path | None = None
    loader_threads: int = 1

    @property
    def faces(self) -> checkpoints.State:
        """What its checkpoint says of them."""
        return checkpoints.faces_of(self.training, self.held_out)

    @property
    def alignment(self) -> FivePoint | BoxCrop:
        """How a face becomes the network's crop."""
        return architecture(self.recipe.architecture).crop_of(self.training.alignment)


def train(job: Job, done: Callable[[], object]) -> Run:
    """Runs the recipe to its end, from the checkpoint in `job.out` where there is one. `done`: after each step.

    Raises TrainingError, or OSError where the disk is full; the last checkpoint then stays.
    """
    run = begin(job)
    for _ in range(run.step):
        done()
    judge = judge_of(job)
    with Journal(job.out, run.step) if job.world.rank == 0 else nullcontext() as journal:
        clock = Clock()
        for batch in clock.waiting(batches_of(job, run)):
            clock.add(run.take_step(batch, job.world), len(batch.rows))
            done()
            look = run.step == job.recipe.schedule.steps or run.step % job.recipe.evaluate_every == 0
            if journal and (look or run.step % JOURNAL_EVERY == 0):
                journal.write(run.step, {"learning_rate": run.learning_rate, **clock.take()})
            if look and _over(job, run, judge, journal):
                break
            if look:
                clock.restart()
    return run


def begin(job: Job) -> Run:
    """A run as its checkpoint left it, or at its first step. Raises TrainingError."""
    torch.manual_seed(job.recipe.seed)
    network = build(job.recipe.architecture, job.recipe.dimension)
    path = job.out / CHECKPOINT
    if job.start is not None and not path.exists():
        network.load_state_dict(start_of(job.recipe, job.start, job.held_out).network().state_dict())
    run = Run(job.recipe, network, job.objective, job.device)
    if path.exists():
        run.restore(checkpoints.load(path, job.recipe, job.faces))
    return run


def start_of(recipe: Recipe, checkpoint: Path, held_out: FaceSet) -> checkpoints.Trained:
    """The run that `recipe` begins with.

    Raises TrainingError for another, for half of it, and for one that had other faces: it may have been trained on the
    very people who are held out now.
    """
    theirs = checkpoints.trained(checkpoint)
    made = theirs.recipe["name"], theirs.recipe["architecture"], theirs.recipe["dimension"]
    wanted = recipe.begins_with, recipe.architecture, recipe.dimension
    if made != wanted:
        raise TrainingError(
            f"{checkpoint} is of {made[0]} and holds {made[1]} in {made[2]} dimensions; {recipe.name} begins with "
            f"{wanted[0]}, {wanted[1]} in {wanted[2]}. Give a checkpoint of that."
        )
    if not theirs.over:
        raise TrainingError(
            f"{checkpoint} is of step {theirs.step:,}, before the end of {wanted[0]}. Train that one again with the "
            "same --out: it goes on."
        )
    checkpoints.require_faces(checkpoint, theirs.faces, checkpoints.looked_at(held_out))
    return theirs


def loader_of(job: Job) -> Loader:
    """Augmented views of the faces to train on."""
    views = Views(job.training.alignment, job.alignment, job.recipe.augmentation)
    return Loader(job.objective.canvases, views, job.objective.draw, job.recipe.seed, job.world)


def batches_of(job: Job, run: Run) -> Iterator[Batch]:
    """Those of the steps that are left; none where the run is over."""
    steps = run.step if run.over else job.recipe.schedule.steps
    return loader_of(job).batches(run.step, steps, job.loader_threads)


def judge_of(job: Job) -> HeldOut:
    """The faces of the people held out, as they were aligned."""
    return held_out(job.held_out, job.alignment, np.random.default_rng(job.recipe.seed))


def _over(job: Job, run: Run, judge: HeldOut, journal: Journal | None) -> bool:
    """Looks at the people held out and writes all down. Returns whether no better network is to be expected."""
    if journal:
        seen = judge.measure(run.average.network, job.device)
        run.patience.see(seen.val)
        journal.write(run.step, curves(seen))
        checkpoints.save(job.out / CHECKPOINT, job.recipe, job.faces, run.state())
        journal.draw()
    return job.world.agree(decision=run.patience.over)


class Clock:
    """What the steps said and how long they took, between two entries of the journal."""

    def __init__(self) -> None:
        self._means = Means()
        self._faces, self._waited_s, self._since = 0, 0.0, time.perf_counter()

    def waiting(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches, the time until each came counted."""
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            self._waited_s += time.perf_counter() - start
            if batch is None:
                return
            yield batch

    def add(self, figures: Figures, faces: int) -> None:
        """Those of one step."""
        self._means.add(figures)
        self._faces += faces

    def take(self) -> Figures:
        """Means of the figures, faces a second, and the share of the time that steps waited for faces."""
        now = time.perf_counter()
        elapsed_s = now - self._since
        figures = self._means.take()
        figures |= {"faces_per_s": self._faces / elapsed_s, "waiting_share": self._waited_s / elapsed_s}
        self._faces, self._waited_s, self._since = 0, 0.0, now
        return figures

    def restart(self) -> None:
        """What was done since the last entry was no step."""
        self._since = time.perf_counter()
