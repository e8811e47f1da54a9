"""The training loop: trains step by step until the run is finished, and writes the results.

`start_training` (`job.py`) prepares a `TrainingJob` and calls `run_training_loop`. For each batch of the loader
(`data/loader.py`), the loop calls `Trainer.train_step` (`trainer.py`). At regular steps it writes to the journal,
evaluates the averaged network on the held-out people, and saves a checkpoint. Only the first process writes.

OUT/checkpoint.pt    the state of the run, replaced after each evaluation
OUT/journal.jsonl    losses, VAL and thresholds; OUT/tensorboard/ and OUT/curves.png show them
"""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from models.architectures import build_network, find_architecture
from models.errors import TrainingError
from models.training.checkpoints import (
    State,
    TrainedRun,
    faces_identity,
    held_out_identity,
    load_checkpoint,
    read_trained_run,
    require_same_faces,
    save_checkpoint,
)
from models.training.data.augmentation import Augmenter
from models.training.data.face_set import FaceSet
from models.training.data.loader import Batch, BatchLoader
from models.training.distributed import SINGLE_PROCESS, World
from models.training.held_out import HeldOutFaces, journal_values, make_held_out_faces
from models.training.journal import Journal, JournalValues, RunningMeans
from models.training.objectives.base import Objective
from models.training.random_streams import Purpose, random_stream, torch_seed
from models.training.recipes.settings import Recipe
from models.training.trainer import Trainer
from service.model_files.card import BoxAlignment, FivePointAlignment

CHECKPOINT = "checkpoint.pt"

JOURNAL_EVERY = 20
"""Steps between two entries of the journal."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingJob:
    """A run: its recipe, its faces, and where it computes and writes.

    training: the faces to train on.
    held_out: the faces of the held-out people.
    objective: built for the faces of `training`.
    out: the folder of the run.
    start: the checkpoint whose network the run begins with. None begins with random weights.
    loader_threads: how many threads make batches.
    """

    recipe: Recipe
    training: FaceSet
    held_out: FaceSet
    objective: Objective
    out: Path
    device: torch.device
    world: World = SINGLE_PROCESS
    start: Path | None = None
    loader_threads: int = 1

    @property
    def faces(self) -> State:
        """The identity of the faces, as a checkpoint stores it."""
        return faces_identity(self.training, self.held_out)

    @property
    def alignment(self) -> FivePointAlignment | BoxAlignment:
        """The alignment of the crops that the network takes."""
        return find_architecture(self.recipe.architecture).crop_alignment(self.training.alignment)


def run_training_loop(job: TrainingJob, done: Callable[[], object]) -> Trainer:
    """Train until the run is finished. Continues from the checkpoint in `job.out` if there is one.

    done: called after each step.
    Raises TrainingError, or OSError if the disk is full. The last checkpoint is then kept.
    """
    trainer = create_trainer(job)
    for _ in range(trainer.step):  # steps before the checkpoint are already done
        done()
    rng = random_stream(job.recipe.seed, Purpose.EVALUATED_FACES)
    held_out_faces = make_held_out_faces(job.held_out, job.alignment, rng)
    with Journal(job.out, trainer.step) if job.world.rank == 0 else nullcontext() as journal:
        timer = StepTimer()
        for batch in timer.time_waiting(_remaining_batches(job, trainer)):
            timer.add(trainer.train_step(batch, job.world), len(batch.rows))
            done()
            evaluation_due = trainer.step == job.recipe.schedule.steps or trainer.step % job.recipe.evaluate_every == 0
            if journal and (evaluation_due or trainer.step % JOURNAL_EVERY == 0):
                journal.write(trainer.step, {"learning_rate": trainer.learning_rate, **timer.take()})
            if evaluation_due:
                if _evaluate(job, trainer, held_out_faces, journal):
                    break
                timer.restart()
    return trainer


def create_trainer(job: TrainingJob) -> Trainer:
    """Return the trainer as its checkpoint left it, or at its first step. Raises TrainingError."""
    torch.manual_seed(torch_seed(job.recipe.seed, Purpose.NETWORK_WEIGHTS))
    network = build_network(job.recipe.architecture, job.recipe.dimension)
    path = job.out / CHECKPOINT
    if job.start is not None and not path.exists():
        network.load_state_dict(read_start_run(job.recipe, job.start, job.held_out).network().state_dict())
    trainer = Trainer(job.recipe, network, job.objective, job.device)
    if path.exists():
        trainer.restore(load_checkpoint(path, job.recipe, job.faces))
    return trainer


def read_start_run(recipe: Recipe, checkpoint: Path, held_out: FaceSet) -> TrainedRun:
    """Return the run that `recipe` begins with.

    Raises TrainingError if the checkpoint belongs to another recipe or network, or if its run is not finished. Raises
    TrainingError if its run was started on other faces: it may have been trained on people who are now held out.
    """
    run = read_trained_run(checkpoint)
    made = run.recipe["name"], run.recipe["architecture"], run.recipe["dimension"]
    expected = recipe.begins_with, recipe.architecture, recipe.dimension
    if made != expected:
        raise TrainingError(
            f"{checkpoint} belongs to the recipe {made[0]}, with {made[1]} in {made[2]} dimensions. The recipe "
            f"{recipe.name} begins with {expected[0]}, with {expected[1]} in {expected[2]} dimensions. Give a "
            f"checkpoint of {expected[0]}."
        )
    if not run.finished:
        raise TrainingError(
            f"{checkpoint} is not finished: it was saved at step {run.step:,} of {expected[0]}. Run the training of "
            f"{expected[0]} again with the same --out. It continues."
        )
    require_same_faces(checkpoint, run.faces, held_out_identity(held_out))
    return run


def create_loader(job: TrainingJob) -> BatchLoader:
    """Return the loader of augmented crops of the training faces."""
    augmenter = Augmenter(job.training.alignment, job.alignment, job.recipe.augmentation)
    return BatchLoader(job.objective.canvases, augmenter, job.objective.draw_rows, job.recipe.seed, job.world)


def _remaining_batches(job: TrainingJob, trainer: Trainer) -> Iterator[Batch]:
    end = trainer.step if trainer.finished else job.recipe.schedule.steps
    return create_loader(job).batches(trainer.step, end, job.loader_threads)


def _evaluate(job: TrainingJob, trainer: Trainer, held_out_faces: HeldOutFaces, journal: Journal | None) -> bool:
    """Evaluate on the held-out people and save a checkpoint. Returns whether early stopping ends the run.

    journal: None in all processes except the first.
    """
    if journal:
        pairs = held_out_faces.measure(trainer.weight_average.network, job.device)
        trainer.early_stopping.add(pairs.val_at_fmr())
        journal.write(trainer.step, journal_values(pairs))
        save_checkpoint(job.out / CHECKPOINT, job.recipe, job.faces, trainer.state())
        journal.draw_curves()
    # Only the first process evaluates. All processes must stop at the same step. Otherwise some wait for the others.
    return job.world.broadcast_decision(decision=trainer.early_stopping.should_stop)


class StepTimer:
    """Measures the means of the journal values and the speed of the steps, between two entries of the journal."""

    def __init__(self) -> None:
        self._means = RunningMeans()
        self._faces, self._waited_s, self._since_s = 0, 0.0, time.perf_counter()

    def time_waiting(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield the batches, and measure the time until each of them is ready."""
        while True:
            start_s = time.perf_counter()
            batch = next(batches, None)
            self._waited_s += time.perf_counter() - start_s
            if batch is None:
                return
            yield batch

    def add(self, values: JournalValues, faces: int) -> None:
        """Add the journal values and the number of faces of one step."""
        self._means.add(values)
        self._faces += faces

    def take(self) -> JournalValues:
        """Return the means of all steps since the last call, and start again.

        `faces_per_s` is the speed, and `waiting_share` is the share of the time that steps waited for their batch.
        """
        now_s = time.perf_counter()
        elapsed_s = now_s - self._since_s
        values = self._means.take()
        values |= {"faces_per_s": self._faces / elapsed_s, "waiting_share": self._waited_s / elapsed_s}
        self._faces, self._waited_s, self._since_s = 0, 0.0, now_s
        return values

    def restart(self) -> None:
        """Do not count the time since the last entry. It is called after an evaluation."""
        self._since_s = time.perf_counter()
