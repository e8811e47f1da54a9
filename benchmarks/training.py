"""A training step of a recipe, beside the passes of its network alone, in one run.

    python -m benchmarks.training [RECIPE]

The network alone: embed random pictures, go back from the sum of the embeddings, change the weights.

A training step does the same. It also draws, cuts and augments its faces, mines triplets or reads the embeddings of the
teacher, averages the weights and writes its journal.

The faces are random pictures, because the time does not depend on what they show.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.architectures import build_network
from models.training.data.canvases import Canvases
from models.training.data.face_set import FaceSet
from models.training.distributed import SINGLE_PROCESS
from models.training.journal import Journal
from models.training.loop import StepTimer, TrainingJob, create_loader
from models.training.objectives.build import build_objective
from models.training.optimisation.optimiser import build_optimiser
from models.training.recipes.recipes import find_recipe
from models.training.recipes.settings import Recipe
from models.training.trainer import Trainer
from service.domain.distances import unit
from service.domain.embedding import Embeddings

ROUNDS = 5
STEPS_PER_ROUND = 4
PEOPLE = 300
FACES_PER_PERSON = 30


def main() -> None:
    """Measure, and print the ratio of each round and the median of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "recipe", nargs="?", default="distil-compact-start", help="a recipe of models/training/recipes/recipes.py"
    )
    recipe = find_recipe(parser.parse_args().recipe)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    ratios = []
    with TemporaryDirectory() as folder, Journal(Path(folder), 0) as journal:
        train_step, network_step = _make_training_step(recipe, journal), _make_network_step(recipe)
        train_step(), network_step()  # warms both, and is not counted
        for _ in range(ROUNDS):
            ratios.append(_measure_s(network_step) / _measure_s(train_step))
            print(f"{recipe.name}: a training step has {ratios[-1]:.3f} of the speed of the network alone")
    print(f"{recipe.name}: median {median(ratios):.3f}")


def _measure_s(step: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    for _ in range(STEPS_PER_ROUND):
        step()
    return time.perf_counter() - start_s


def _make_training_step(recipe: Recipe, journal: Journal) -> Callable[[], object]:
    """Return a function that runs one step, as the loop in `models/training/loop.py` does."""
    faces = _draw_faces()
    objective = build_objective(recipe, faces, _embed_by_teacher)
    job = TrainingJob(recipe, faces, faces, objective, Path(), torch.device("cpu"))
    trainer = Trainer(recipe, build_network(recipe.architecture, recipe.dimension), job.objective, job.device)
    timer = StepTimer()
    batches = timer.time_waiting(create_loader(job).batches(0, 1_000_000))

    def train_step() -> None:
        batch = next(batches)
        timer.add(trainer.train_step(batch, SINGLE_PROCESS), len(batch.rows))
        journal.write(trainer.step, {"learning_rate": trainer.learning_rate, **timer.take()})

    return train_step


def _make_network_step(recipe: Recipe) -> Callable[[], object]:
    """Return a function that runs the passes of the network alone.

    If the recipe embeds its batch in chunks, all chunks are embedded without gradients first, as in a training step.
    """
    network = build_network(recipe.architecture, recipe.dimension)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs of torch
    optimiser = build_optimiser(recipe.optimiser, [network])
    alignment = network.architecture.alignment
    crops = torch.randint(0, 256, (recipe.batch_size, alignment.height, alignment.width, 3), dtype=torch.uint8)
    chunks = torch.tensor_split(crops, -(-recipe.batch_size // recipe.chunk_size))

    def embed(chunk: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            return network(chunk)  # type: ignore[no-any-return]  # the call of a module has no type

    def network_step() -> None:
        optimiser.zero_grad()
        if len(chunks) > 1:
            with torch.no_grad():
                for chunk in chunks:
                    embed(chunk)
        for chunk in chunks:
            torch.autograd.backward(embed(chunk).sum())
        optimiser.step()

    return network_step


def _draw_faces() -> FaceSet:
    count = PEOPLE * FACES_PER_PERSON
    canvases = np.random.default_rng(0).integers(0, 256, (count, 128, 128, 3), dtype=np.uint8)
    people = np.repeat(np.arange(PEOPLE), FACES_PER_PERSON)
    return FaceSet(canvases, people, people * 0, tuple(f"{person}" for person in range(PEOPLE)), ("noise",))


def _embed_by_teacher(_: str, canvases: Canvases, __: tuple[NDArray[np.generic], ...]) -> Embeddings:
    return unit(np.random.default_rng(1).normal(size=(len(canvases), 128)).astype(np.float32))


if __name__ == "__main__":
    main()
