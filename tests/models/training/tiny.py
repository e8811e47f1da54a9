"""A run of four steps: whole, or stopped in the middle."""

from pathlib import Path

import numpy as np
import torch

from models.faces import FaceSet
from models.training.held_out import divided
from models.training.objectives.build import objective
from models.training.recipes import Optimiser, Recipe, Triplets
from models.training.run import Run
from models.training.schedule import Schedule
from models.training.train import Job, train

CPU = torch.device("cpu")

TINY = Recipe(
    name="tiny",
    architecture="nns2",
    towards=Triplets(per_person=4),
    optimiser=Optimiser("adamw", learning_rate=1e-3),
    schedule=Schedule(steps=4, warm_up=1),
    batch=16,
    chunk=8,
    evaluate_every=2,
    held_out=0.34,
)


def no_teacher(*_: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    raise AssertionError


def job(recipe: Recipe, faces: FaceSet, out: Path) -> Job:
    training, held_out = divided(faces, recipe.held_out, recipe.seed)
    return Job(recipe, training, held_out, objective(recipe, training, no_teacher), out, CPU)


def run(recipe: Recipe, faces: FaceSet, out: Path, stop_after: int = 1_000) -> Run:
    """Stops as a killed run does: in the middle, without a word."""
    steps = iter(range(stop_after))

    def done() -> None:
        if next(steps, None) is None:
            raise KeyboardInterrupt

    return train(job(recipe, faces, out), done)
