import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.distances import unit
from service.domain.embedding import UNIT_TOLERANCE, check_embedding, check_embeddings
from service.domain.errors import InvalidEmbedding
from service.domain.face import Box, Face
from service.domain.image import Image

DIMENSION = 8


def unit_vector(seed: int = 0) -> list[float]:
    vector: list[float] = unit(np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)).tolist()
    return vector


BAD_VECTORS = {
    "too short": unit_vector()[:-1],
    "too long": [*unit_vector(), 0.0],
    "empty": [],
    "zero": [0.0] * DIMENSION,
    "not unit": [2 * number for number in unit_vector()],
    "almost unit": [(1 + 1.1 * UNIT_TOLERANCE) * number for number in unit_vector()],
    "NaN": [float("nan"), *unit_vector()[1:]],
    "infinite": [float("inf"), *unit_vector()[1:]],
    "minus infinite": [*unit_vector()[:-1], float("-inf")],
    "beyond float32": [1e300] * DIMENSION,
}


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_an_image_is_h_w_3_uint8(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    with pytest.raises(ValueError, match="an image is"):
        Image(pixels)


def test_an_image_has_a_width_and_a_height() -> None:
    image = Image(np.zeros((30, 40, 3), np.uint8))
    assert (image.width, image.height) == (40, 30)


@pytest.mark.parametrize("shape", [(5,), (5, 3), (4, 2), (10,), (1, 5, 2)])
def test_a_face_has_five_points(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="landmarks are"):
        Face(Box(0, 0, 1, 1), np.zeros(shape, np.float32), 1.0)


def test_a_box_has_an_area_and_a_centre() -> None:
    box = Box(10, 20, 30, 40)
    assert box.area == 1200
    assert box.centre == (25, 40)


@given(seed=st.integers(0, 1000), error=st.floats(-0.99 * UNIT_TOLERANCE, 0.99 * UNIT_TOLERANCE))
def test_a_given_embedding_is_scaled_to_length_1(seed: int, error: float) -> None:
    vector = unit_vector(seed)
    embedding = check_embedding([(1 + error) * number for number in vector], DIMENSION)
    assert embedding.shape == (1, DIMENSION)
    assert embedding.dtype == np.float32
    np.testing.assert_allclose(embedding[0], vector, atol=1e-6)


def test_six_decimals_for_each_number_are_precise_enough() -> None:
    vector = unit(np.random.default_rng(0).normal(size=512).astype(np.float32))
    printed = [float(f"{number:.6f}") for number in vector]
    np.testing.assert_allclose(check_embedding(printed, 512)[0], vector, atol=1e-6)


@pytest.mark.parametrize("vector", BAD_VECTORS.values(), ids=list(BAD_VECTORS))
def test_a_vector_that_is_not_an_embedding_is_refused(vector: list[float]) -> None:
    with pytest.raises(InvalidEmbedding) as error:
        check_embedding(vector, DIMENSION)
    assert error.value.input_name is None
    assert str(error.value).endswith(".")


@pytest.mark.parametrize("vector", BAD_VECTORS.values(), ids=list(BAD_VECTORS))
def test_the_error_for_several_embeddings_names_the_first_bad_one(vector: list[float]) -> None:
    with pytest.raises(InvalidEmbedding) as error_of_several:
        check_embeddings([unit_vector(0), unit_vector(1), vector, vector], DIMENSION)
    with pytest.raises(InvalidEmbedding) as error_of_one:
        check_embedding(vector, DIMENSION)
    assert error_of_several.value.input_name == "embeddings[2]"
    assert str(error_of_several.value) == str(error_of_one.value)


def test_the_message_names_the_fault() -> None:
    for name, message in (
        ("too short", "has 7 numbers, and this model needs 8"),
        ("zero", "zero"),
        ("not unit", "length of the embedding is 2,"),
        ("NaN", "not finite"),
    ):
        with pytest.raises(InvalidEmbedding, match=message):
            check_embedding(BAD_VECTORS[name], DIMENSION)


def test_several_embeddings_are_checked_as_each_is_alone() -> None:
    vectors = [unit_vector(seed) for seed in range(5)]
    embeddings = check_embeddings(vectors, DIMENSION)
    assert embeddings.dtype == np.float32
    np.testing.assert_array_equal(
        embeddings, np.concatenate([check_embedding(vector, DIMENSION) for vector in vectors])
    )


def test_no_embeddings_give_an_empty_array() -> None:
    assert check_embeddings([], DIMENSION).shape == (0, DIMENSION)
