"""Classification: ArcFace and CosFace are compared with their formulas. Their centres depend only on the recipe."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from models.training.data.face_set import FaceSet
from models.training.objectives.base import Objective
from models.training.objectives.build import build_objective
from models.training.recipes.settings import ArcFaceSettings, ClassSettings, CosFaceSettings, Recipe
from tests.models.training.objectives.embeddings import DIMENSION, random_embeddings
from tests.models.training.tiny import TINY, no_teacher

CLASSES = ClassSettings(scale=16)
ARCFACE = replace(TINY, objective=ArcFaceSettings(margin_degrees=20, classes=CLASSES), dimension=DIMENSION)
COSFACE = replace(TINY, objective=CosFaceSettings(margin_cosine=0.3, classes=CLASSES), dimension=DIMENSION)


def _centres(objective: Objective) -> NDArray[np.float64]:
    """Return the centres of the classes, (d, people)."""
    (weights,) = objective.head.parameters()
    centres: NDArray[np.float64] = weights.detach().numpy().astype(np.float64)
    return centres


def _cosines(objective: Objective, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    centres = _centres(objective)
    cosines: NDArray[np.float64] = embeddings @ (centres / np.linalg.norm(centres, axis=0))
    return cosines


def _cross_entropy(logits: NDArray[np.float64], classes: NDArray[np.int64]) -> float:
    return functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(classes)).item()


def test_arcface_adds_the_margin_to_the_angle_of_the_own_class(faces: FaceSet) -> None:
    objective = build_objective(ARCFACE, faces, no_teacher)
    embeddings, classes = random_embeddings(len(faces), 3), faces.people
    logits = _cosines(objective, embeddings)
    own = np.arange(len(faces)), classes
    logits[own] = np.cos(np.arccos(logits[own]) + np.deg2rad(20))
    loss = objective.loss(torch.from_numpy(embeddings), np.arange(len(faces))).value.item()
    assert loss == pytest.approx(_cross_entropy(16 * logits, classes), rel=1e-3)


def test_cosface_subtracts_the_margin_from_the_cosine_of_the_own_class(faces: FaceSet) -> None:
    objective = build_objective(COSFACE, faces, no_teacher)
    embeddings, classes = random_embeddings(len(faces), 3), faces.people
    logits = _cosines(objective, embeddings)
    logits[np.arange(len(faces)), classes] -= 0.3
    loss = objective.loss(torch.from_numpy(embeddings), np.arange(len(faces))).value.item()
    assert loss == pytest.approx(_cross_entropy(16 * logits, classes), rel=1e-3)


@pytest.mark.parametrize("recipe", [ARCFACE, COSFACE])
def test_the_centres_depend_on_the_recipe_only_and_have_the_given_length(recipe: Recipe, faces: FaceSet) -> None:
    torch.manual_seed(1)
    first = _centres(build_objective(recipe, faces, no_teacher))
    torch.manual_seed(2)
    np.testing.assert_array_equal(_centres(build_objective(recipe, faces, no_teacher)), first)
    assert first.std() == pytest.approx(0.01, rel=0.2)
    assert (_centres(build_objective(replace(recipe, seed=2), faces, no_teacher)) != first).all()


def test_the_classes_of_people_have_no_gaps(faces: FaceSet) -> None:
    others, _ = faces.split_off(np.array([1, 3]))
    objective = build_objective(ARCFACE, others, no_teacher)
    assert _centres(objective).shape == (DIMENSION, len(others.names_with_faces))
