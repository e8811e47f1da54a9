import numpy as np
import pytest

from models.errors import TrainingError
from models.evaluation.metrics.labelled_pairs import all_pairs
from models.training.data.face_set import FaceSet
from models.training.held_out import MAX_FACES_PER_PERSON, journal_values, make_held_out_faces
from service.model_files.card import FivePointAlignment

SMALL = FivePointAlignment(view=(0, 0, 112, 112), height=32, width=32)


def test_an_evaluation_counts_every_pair_of_the_held_out_faces() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(40), 3)
    vectors = rng.normal(size=(40, 16))[people] + rng.normal(scale=0.7, size=(120, 16))
    embeddings = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    rows = [(i, j) for i in range(120) for j in range(i)]
    distances = np.array([np.square(embeddings[i] - embeddings[j]).sum() for i, j in rows])
    same = np.array([people[i] == people[j] for i, j in rows])
    pairs = all_pairs(embeddings, people)
    d = sorted(distances[~same])[int(1e-3 * (~same).sum())]
    assert pairs.threshold_at_fmr() == pytest.approx(d, abs=1e-5)
    assert pairs.val_at_fmr() == pytest.approx((distances[same] < d).mean())
    values = journal_values(pairs)
    assert values["val_at_fmr_1e-3"] == pairs.val_at_fmr()
    rate = pairs.error_rate(1.242, "the pairs of this test")
    assert (rate.mated_pairs, rate.non_mated_pairs) == (120, len(rows) - 120)
    assert rate.fmr == values["fmr_at_1.242"] == pytest.approx((distances[~same] < 1.242).mean())
    assert rate.fnmr == values["fnmr_at_1.242"] == pytest.approx((distances[same] >= 1.242).mean())


def test_a_person_with_many_faces_counts_with_at_most_a_fixed_number(faces: FaceSet) -> None:
    many = faces.select_rows(np.tile(np.arange(len(faces)), 4))
    held_out_faces = make_held_out_faces(many, SMALL, np.random.default_rng(0))
    assert set(np.bincount(held_out_faces.people)) == {MAX_FACES_PER_PERSON}
    assert held_out_faces.crops.shape == (6 * MAX_FACES_PER_PERSON, 32, 32, 3)


@pytest.mark.parametrize("rows", [[0, 1, 2], [0, 8, 16]])
def test_held_out_people_without_a_mated_or_a_non_mated_pair_are_refused(rows: list[int], faces: FaceSet) -> None:
    with pytest.raises(TrainingError, match=r"3 faces of . people are held out"):
        make_held_out_faces(faces.select_rows(np.array(rows)), SMALL, np.random.default_rng(0))
