import numpy as np
from numpy.typing import NDArray

from models.training.data.blends import BlendSettings, CanvasesWithBlends, make_blends
from models.training.data.face_set import FaceSet
from models.training.data.sampling import FaceSampler

FIVE = BlendSettings(count=5)


def equal(faces: FaceSet) -> NDArray[np.float64]:
    """Return the same probability for every face."""
    return np.full(len(faces), 1 / len(faces))


def test_a_blend_is_the_weighted_mean_of_two_faces(faces: FaceSet) -> None:
    blends = make_blends(faces.canvases, equal(faces), FIVE, np.random.default_rng(0))
    first, second, weight = blends.first[3], blends.second[3], blends.weights[3]
    expected = weight * faces.canvases[first].astype(np.float64) + (1 - weight) * faces.canvases[second]
    np.testing.assert_allclose(blends[3], expected, atol=0.51)
    assert ((blends.weights >= 0.3) & (blends.weights <= 0.7)).all()


def test_the_rows_of_blends_follow_the_rows_of_faces(faces: FaceSet) -> None:
    blends = make_blends(faces.canvases, equal(faces), FIVE, np.random.default_rng(0))
    canvases = CanvasesWithBlends(blends)
    assert len(canvases) == len(faces) + 5
    np.testing.assert_array_equal(canvases[2], faces.canvases[2])
    np.testing.assert_array_equal(canvases[len(faces) + 4], blends[4])


def test_blends_depend_only_on_the_state_of_the_generator(faces: FaceSet) -> None:
    first, second = (make_blends(faces.canvases, equal(faces), FIVE, np.random.default_rng(0)) for _ in range(2))
    np.testing.assert_array_equal(first[4], second[4])


def test_the_share_of_blends_in_batches_is_as_set(faces: FaceSet) -> None:
    sampler = FaceSampler.by_people(faces.people, batch_size=20, exponent=0.5).with_added_rows(1000, 0.6)
    rng = np.random.default_rng(0)
    rows = np.concatenate([sampler.draw(rng) for _ in range(100)])
    assert abs(np.mean(rows >= len(faces)) - 0.6) < 0.1
