"""A step of training beside the bare passes of the same network, round by round in one run.

    .venv/bin/python -m benchmarks.training [RECIPE]

The bare loop embeds random pictures, goes back through a sum and moves the weights. The step does so too, and draws,
cuts and augments its faces, mines or asks, averages the weights and writes its journal. Faces are random pictures: what
they show changes nothing in the cost.
"""

import sys
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

from models.architectures import build
from models.faces import FaceSet
from models.training.distributed import ALONE
from models.training.journal import Journal
from models.training.objectives.base import Canvases
from models.training.objectives.build import objective
from models.training.recipes import Recipe, recipe_of
from models.training.run import Run, optimiser
from models.training.train import Clock, Job, loader_of
from service.distances import unit
from service.domain import Embeddings

ROUNDS = 5
STEPS = 4
PEOPLE = 300
EACH = 30


def main(name: str = "distil-compact-start") -> None:
    """Prints the ratio of each round and their median."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    recipe = recipe_of(name)
    ratios = []
    with TemporaryDirectory() as folder, Journal(Path(folder), 0) as journal:
        step, bare = _training(recipe, journal), _bare(recipe)
        step(), bare()
        for _ in range(ROUNDS):
            ratios.append(_seconds(bare) / _seconds(step))
            print(f"{name}: a step reaches {ratios[-1]:.3f} of the bare loop's speed")
    print(f"{name}: median {median(ratios):.3f}")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(STEPS):
        work()
    return time.perf_counter() - start


def _training(recipe: Recipe, journal: Journal) -> Callable[[], object]:
    """One step of the loop in `models/training/train.py`."""
    faces = _faces()
    job = Job(recipe, faces, faces, objective(recipe, faces, _teacher), Path(), torch.device("cpu"))
    run = Run(recipe, build(recipe.architecture, recipe.dimension), job.objective, job.device)
    clock = Clock()
    batches = clock.waiting(loader_of(job).batches(0, 1_000_000))

    def step() -> None:
        batch = next(batches)
        clock.add(run.take_step(batch, ALONE), len(batch.rows))
        journal.write(run.step, {"learning_rate": run.learning_rate, **clock.take()})

    return step


def _bare(recipe: Recipe) -> Callable[[], object]:
    """The same passes: in chunks first without and then with gradients, where the recipe's batch is in chunks."""
    network = build(recipe.architecture, recipe.dimension)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs know no such call
    moved = optimiser(recipe.optimiser, [network])
    side = network.architecture.alignment
    crops = torch.randint(0, 256, (recipe.batch, side.height, side.width, 3), dtype=torch.uint8)
    chunks = torch.tensor_split(crops, -(-recipe.batch // recipe.chunk))

    def embed(chunk: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            return network(chunk)  # type: ignore[no-any-return]  # a module's call is untyped

    def step() -> None:
        moved.zero_grad()
        if len(chunks) > 1:
            with torch.no_grad():
                for chunk in chunks:
                    embed(chunk)
        for chunk in chunks:
            torch.autograd.backward(embed(chunk).sum())
        moved.step()

    return step


def _faces() -> FaceSet:
    count = PEOPLE * EACH
    canvases = np.random.default_rng(0).integers(0, 256, (count, 128, 128, 3), dtype=np.uint8)
    people = np.repeat(np.arange(PEOPLE), EACH)
    return FaceSet(canvases, people, people * 0, tuple(f"{one}" for one in range(PEOPLE)), ("noise",))


def _teacher(_: str, canvases: Canvases, __: tuple[NDArray[np.generic], ...]) -> Embeddings:
    return unit(np.random.default_rng(1).normal(size=(len(canvases), 128)).astype(np.float32))


if __name__ == "__main__":
    main(*sys.argv[1:])
