import numpy as np
import pytest

from models.errors import TrainingError
from models.evaluation.verification import pairs
from models.faces import FaceSet
from models.training.held_out import PER_PERSON, curves, held_out
from service.card import FivePoint

SMALL = FivePoint(view=(0, 0, 112, 112), height=32, width=32)


def test_what_a_run_looks_at_is_counted_over_all_pairs() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(40), 3)
    vectors = rng.normal(size=(40, 16))[people] + rng.normal(scale=0.7, size=(120, 16))
    embeddings = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    every = [(i, j) for i in range(120) for j in range(i)]
    distances = np.array([np.square(embeddings[i] - embeddings[j]).sum() for i, j in every])
    same = np.array([people[i] == people[j] for i, j in every])
    found = pairs(embeddings, people)
    d = sorted(distances[~same])[int(1e-3 * (~same).sum())]
    assert found.threshold_at_far == pytest.approx(d, abs=1e-5)
    assert found.val == pytest.approx((distances[same] < d).mean())
    assert curves(found)["val_at_fmr_1e-3"] == found.val
    at = found.error_rate(1.242, "them")
    assert (at.genuine_pairs, at.impostor_pairs) == (120, len(every) - 120)
    assert at.fmr == pytest.approx((distances[~same] < 1.242).mean())
    assert at.fnmr == pytest.approx((distances[same] >= 1.242).mean())


def test_nobody_is_looked_at_more_often_than_the_others_by_far(faces: FaceSet) -> None:
    many = faces.of(np.tile(np.arange(len(faces)), 4))
    looked_at = held_out(many, SMALL, np.random.default_rng(0))
    assert set(np.bincount(looked_at.people)) == {PER_PERSON}
    assert looked_at.crops.shape == (6 * PER_PERSON, 32, 32, 3)


@pytest.mark.parametrize("rows", [[0, 1, 2], [0, 8, 16]])
def test_people_who_cannot_be_told_apart_are_too_few(rows: list[int], faces: FaceSet) -> None:
    with pytest.raises(TrainingError, match=r"3 faces of . people are held out"):
        held_out(faces.of(np.array(rows)), SMALL, np.random.default_rng(0))
