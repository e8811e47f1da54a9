import numpy as np

from models.faces import FaceSet
from models.training.blends import LEAST_WEIGHT, WithBlends, blended
from models.training.draws import Draw


def test_a_blend_is_the_weighted_mean_of_two_faces(faces: FaceSet) -> None:
    blends = blended(faces.canvases, faces.people, 5, np.random.default_rng(0))
    one, other, weight = blends.first[3], blends.second[3], blends.weights[3]
    expected = weight * faces.canvases[one].astype(np.float64) + (1 - weight) * faces.canvases[other]
    np.testing.assert_allclose(blends[3], expected, atol=0.51)
    assert ((blends.weights >= LEAST_WEIGHT) & (blends.weights <= 1 - LEAST_WEIGHT)).all()


def test_blends_come_behind_the_faces(faces: FaceSet) -> None:
    blends = blended(faces.canvases, faces.people, 5, np.random.default_rng(0))
    both = WithBlends(blends)
    assert len(both) == len(faces) + 5
    np.testing.assert_array_equal(both[2], faces.canvases[2])
    np.testing.assert_array_equal(both[len(faces) + 4], blends[4])


def test_the_same_generator_gives_the_same_blends(faces: FaceSet) -> None:
    first, second = (blended(faces.canvases, faces.people, 5, np.random.default_rng(0)) for _ in range(2))
    np.testing.assert_array_equal(first[4], second[4])


def test_blends_are_their_share_of_the_batches(faces: FaceSet) -> None:
    draw = Draw.by_people(faces.people, batch=20).beside(1000, 0.6)
    rng = np.random.default_rng(0)
    rows = np.concatenate([draw.draw(rng) for _ in range(100)])
    assert abs(np.mean(rows >= len(faces)) - 0.6) < 0.1
