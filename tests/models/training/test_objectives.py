"""Each objective against its formula written out, and each of them lowered by a few steps of its own gradient."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.batches import Batches
from models.faces import FaceSet
from models.training.draws import Draw
from models.training.objectives.base import Canvases, Objective, Rows
from models.training.objectives.build import objective
from models.training.objectives.distillation import Distillation
from models.training.objectives.harmonic import Harmony
from models.training.recipes import Classify, Distil, Harmonise, Optimiser, Recipe, Towards, Triplets
from models.training.schedule import Schedule
from models.triplets import SemiHardMiner
from service.distances import unit
from service.domain import Embeddings

D = 8


def units(count: int, seed: int) -> Embeddings:
    drawn = np.random.default_rng(seed).normal(size=(count, D)).astype(np.float32)
    return unit(drawn)


def teacher(_: str, canvases: Canvases, __: object) -> Embeddings:
    return units(len(canvases), 5)


def recipe(towards: Towards) -> Recipe:
    rate = Optimiser("adamw", learning_rate=1e-3)
    return Recipe("one", "nns2", towards, rate, Schedule(steps=1), batch=16, chunk=16, dimension=D)


def test_distillation_is_the_cosine_and_the_weighted_error_of_the_similarities() -> None:
    targets, embeddings, rows = units(6, 1), units(4, 2), np.array([5, 0, 3, 2])
    one = Distillation(
        np.empty((6, 1, 1, 3), np.uint8), targets, Draw.by_people(np.zeros(6, np.int64), 4), similarity_weight=10.0
    )
    loss = one.loss(torch.from_numpy(embeddings), rows)
    apart = np.mean([1 - embeddings[i] @ targets[row] for i, row in enumerate(rows)])
    unlike = np.mean(
        [(embeddings[i] @ embeddings[j] - targets[rows[i]] @ targets[rows[j]]) ** 2 for i in range(4) for j in range(4)]
    )
    assert loss.value.item() == pytest.approx(apart + 10 * unlike, rel=1e-5)
    assert loss.figures == pytest.approx({"one_minus_cosine": apart, "similarity_error": unlike}, rel=1e-5)


def test_harmony_has_triplets_of_both_networks_but_none_of_the_fixed_one_alone(faces: FaceSet) -> None:
    fixed = units(len(faces), 3)
    batches = Batches(faces.people, faces.sources, faces=16, per_person=4)
    one = Harmony(
        faces.canvases, fixed, faces.people, batches, SemiHardMiner(), distil_weight=0.0, similarity_weight=0.0
    )
    rows = one.draw(np.random.default_rng(0))
    embeddings = torch.from_numpy(units(len(rows), 4))
    loss = one.loss(embeddings, rows)
    both, people = np.concatenate([embeddings.numpy(), fixed[rows]]), np.tile(faces.people[rows], 2)
    expected = mixed_triplets(both, people, own=len(rows))
    assert loss.figures["triplets"] == len(expected)
    assert loss.value.item() == pytest.approx(np.mean(expected), rel=1e-4)


def mixed_triplets(both: Embeddings, people: Rows, own: int) -> list[float]:
    """The losses of the triplets, the slow way: the nearest semi-hard negative of every pair, not all three fixed."""
    distances = np.square(both[:, None] - both).sum(axis=2)
    found = []
    for a in range(len(both)):
        for p in np.flatnonzero((people == people[a]) & (np.arange(len(both)) != a)):
            hard = [n for n in np.flatnonzero(people != people[a]) if 0 < distances[a, n] - distances[a, p] < 0.2]
            if hard:
                n = min(hard, key=lambda one: distances[a, one])
                if min(a, int(p), int(n)) < own:
                    found.append(distances[a, p] - distances[a, n] + 0.2)
    return found


@pytest.mark.parametrize(
    "towards",
    [
        Distil(),
        Distil(blends=9, blended=0.5),
        Classify(),
        Triplets(per_person=4),
        Triplets(per_person=4, selection="hardest_positives"),
        Harmonise(per_person=4),
    ],
)
def test_following_its_gradient_lowers_every_loss(towards: Towards, faces: FaceSet) -> None:
    one = objective(recipe(towards), faces, teacher)
    rows = one.draw(np.random.default_rng(0))
    free = torch.from_numpy(units(len(rows), 6)).requires_grad_()
    first = judged(one, free, rows).item()
    for _ in range(30):
        (gradient,) = torch.autograd.grad(judged(one, free, rows), free)
        with torch.no_grad():
            free -= gradient
    assert judged(one, free, rows).item() < first


def judged(one: Objective, free: Tensor, rows: Rows) -> Tensor:
    return one.loss(functional.normalize(free), rows).value


@pytest.mark.parametrize(
    "towards", [Distil(), Distil(blends=9, blended=0.5), Classify(), Triplets(per_person=4), Harmonise(per_person=4)]
)
def test_a_batch_holds_no_face_twice_and_is_the_same_for_the_same_generator(towards: Towards, faces: FaceSet) -> None:
    one = objective(recipe(towards), faces, teacher)
    rows = one.draw(np.random.default_rng(0))
    assert len(np.unique(rows)) == len(rows) == 16
    np.testing.assert_array_equal(rows, one.draw(np.random.default_rng(0)))


def test_people_with_many_photographs_are_drawn_less_often_than_their_number() -> None:
    people = np.repeat([0, 1], [100, 4])
    draw = Draw.by_people(people, batch=2)
    assert draw.shares[people == 0].sum() == pytest.approx(10 / 12)
