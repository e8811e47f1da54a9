"""A training run of four steps: complete, or killed in the middle."""

import json
from pathlib import Path

import numpy as np
import torch

from models.training.data.face_set import FaceSet
from models.training.data.triplet_batches import TripletBatchSettings
from models.training.held_out import split_held_out
from models.training.loop import TrainingJob, run_training_loop
from models.training.objectives.build import build_objective
from models.training.optimisation.schedule import Schedule
from models.training.recipes.settings import OptimiserSettings, Recipe, TripletSettings
from models.training.trainer import Trainer

CPU = torch.device("cpu")

TINY = Recipe(
    name="tiny",
    architecture="nns2",
    objective=TripletSettings(batches=TripletBatchSettings(faces_per_person=4)),
    optimiser=OptimiserSettings("adamw", learning_rate=1e-3),
    schedule=Schedule(steps=4, warm_up=1),
    batch_size=16,
    chunk_size=8,
    evaluate_every=2,
    held_out_share=0.34,
)


def no_teacher(*_: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    raise AssertionError


def create_job(recipe: Recipe, faces: FaceSet, out: Path) -> TrainingJob:
    training, held_out = split_held_out(faces, recipe.held_out_share, recipe.seed)
    return TrainingJob(recipe, training, held_out, build_objective(recipe, training, no_teacher), out, CPU)


def run_loop(recipe: Recipe, faces: FaceSet, out: Path, stop_after: int = 1_000) -> Trainer:
    """Train by a recipe. After `stop_after` steps it stops in the middle, as a killed process does."""
    steps = iter(range(stop_after))

    def done() -> None:
        if next(steps, None) is None:
            raise KeyboardInterrupt

    return run_training_loop(create_job(recipe, faces, out), done)


def recorded_losses(out: Path) -> list[dict[str, float]]:
    """Return the entries of the journal, without the values that depend on the time."""
    entries = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]
    return [
        {name: value for name, value in entry.items() if "per_s" not in name and "share" not in name}
        for entry in entries
    ]
