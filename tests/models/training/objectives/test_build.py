"""All objectives, built from their settings. A few steps of gradient descent lower each loss."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.errors import TrainingError
from models.training.data.blends import BlendSettings
from models.training.data.canvases import Canvases, Rows
from models.training.data.face_set import FaceSet
from models.training.data.triplet_batches import TripletBatchSettings
from models.training.objectives.base import Objective
from models.training.objectives.build import build_objective
from models.training.optimisation.schedule import Schedule
from models.training.recipes.settings import (
    ArcFaceSettings,
    CosFaceSettings,
    DistillationSettings,
    HarmonicSettings,
    ObjectiveSettings,
    OptimiserSettings,
    Recipe,
    TripletSettings,
)
from service.domain.embedding import Embeddings
from tests.models.training.objectives.embeddings import DIMENSION, random_embeddings
from tests.models.training.tiny import TINY, no_teacher

pytestmark = pytest.mark.slow

FOUR_FACES = TripletBatchSettings(faces_per_person=4)


def embed_by_teacher(_: str, canvases: Canvases, __: object) -> Embeddings:
    return random_embeddings(len(canvases), 5)


def recipe_for(settings: ObjectiveSettings) -> Recipe:
    optimiser = OptimiserSettings("adamw", learning_rate=1e-3)
    return Recipe(
        "name", "nns2", settings, optimiser, Schedule(steps=1), batch_size=16, chunk_size=16, dimension=DIMENSION
    )


def loss_of(objective: Objective, vectors: Tensor, rows: Rows) -> Tensor:
    return objective.loss(functional.normalize(vectors), rows).value


@pytest.mark.parametrize(
    "settings",
    [
        DistillationSettings(),
        DistillationSettings(blends=BlendSettings(9, share=0.5)),
        ArcFaceSettings(),
        CosFaceSettings(),
        TripletSettings(batches=FOUR_FACES),
        TripletSettings(batches=FOUR_FACES, positives="hardest_positives"),
        HarmonicSettings(batches=FOUR_FACES),
    ],
)
def test_steps_of_gradient_descent_lower_the_loss(settings: ObjectiveSettings, faces: FaceSet) -> None:
    objective = build_objective(recipe_for(settings), faces, embed_by_teacher)
    rows = objective.draw_rows(np.random.default_rng(0))
    vectors = torch.from_numpy(random_embeddings(len(rows), 6)).requires_grad_()
    first = loss_of(objective, vectors, rows).item()
    for _ in range(30):
        (gradient,) = torch.autograd.grad(loss_of(objective, vectors, rows), vectors)
        with torch.no_grad():
            vectors -= gradient
    assert loss_of(objective, vectors, rows).item() < first


@pytest.mark.parametrize(
    "settings",
    [
        DistillationSettings(),
        DistillationSettings(blends=BlendSettings(9, share=0.5)),
        ArcFaceSettings(),
        CosFaceSettings(),
        TripletSettings(batches=FOUR_FACES),
        HarmonicSettings(batches=FOUR_FACES),
    ],
)
def test_a_batch_has_no_face_twice_and_depends_on_the_generator_only(
    settings: ObjectiveSettings, faces: FaceSet
) -> None:
    objective = build_objective(recipe_for(settings), faces, embed_by_teacher)
    rows = objective.draw_rows(np.random.default_rng(0))
    assert len(np.unique(rows)) == len(rows) == 16
    np.testing.assert_array_equal(rows, objective.draw_rows(np.random.default_rng(0)))


def test_too_few_faces_for_a_batch_are_refused_before_training(faces: FaceSet) -> None:
    with pytest.raises(TrainingError, match=r"A batch needs 1800 faces"):
        build_objective(replace(TINY, batch_size=1800), faces, no_teacher)
