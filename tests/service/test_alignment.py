import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.alignment import ARCFACE_TEMPLATE, Aligner, similarity
from service.card import BoxCrop, FivePoint
from service.domain import Box, Face, Image, Points
from tests.fakes import face

SFACE = FivePoint(view=(0, 0, 112, 112), height=112, width=112)
FACENET = BoxCrop(margin=0.0, height=160, width=160)

COORDINATES = st.floats(-500, 500)


def turned(points: Points, degrees: float, scale: float, shift: tuple[float, float]) -> Points:
    angle = np.radians(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (points @ turn.T + shift).astype(np.float32)


def least_squares(points: Points, template: Points) -> NDArray[np.float64]:
    """x' = a x - b y + c, y' = b x + a y + d: ten equations for four unknowns."""
    x, y = points.astype(np.float64).T
    one, nought = np.ones(5), np.zeros(5)
    equations = np.concatenate([np.stack([x, -y, one, nought], 1), np.stack([y, x, nought, one], 1)])
    a, b, c, d = np.linalg.lstsq(equations, template.astype(np.float64).T.ravel())[0]
    return np.array([[a, -b, c], [b, a, d]])


def ramp(width: int, height: int, step: float = 1.0) -> Image:
    """Red counts columns and green rows, `step` a pixel: a crop's colours say where each of its pixels came from."""
    down, across = np.mgrid[0:height, 0:width] * step
    return Image(np.stack([across, down, np.full((height, width), 255.0)], 2).round().astype(np.uint8))


def portrait(degrees: float = 0.0, scale: float = 1.0, shift: tuple[float, float] = (60.0, 50.0)) -> Face:
    """A face whose points are the template's, turned, scaled and shifted."""
    points = turned(ARCFACE_TEMPLATE, degrees, scale, shift)
    low, high = points.min(axis=0), points.max(axis=0)
    return Face(Box(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])), points, 1.0)


def crop_of(image: Image, one: Face, alignment: FivePoint | BoxCrop = SFACE) -> NDArray[np.int64]:
    (crop,) = Aligner(alignment).align(image, [one])
    return np.asarray(crop, np.int64)


@given(points=st.lists(st.tuples(COORDINATES, COORDINATES), min_size=5, max_size=5, unique=True))
def test_a_similarity_is_the_least_squares_solution(points: list[tuple[float, float]]) -> None:
    source = np.array(points, np.float32)
    if np.ptp(source, axis=0).max() < 1.0:
        return
    np.testing.assert_allclose(similarity(source, ARCFACE_TEMPLATE), least_squares(source, ARCFACE_TEMPLATE), atol=1e-6)


@pytest.mark.parametrize("degrees", [-170, -45, 0, 10, 90])
@pytest.mark.parametrize("scale", [0.2, 1.0, 7.0])
def test_a_similarity_undoes_turn_scale_and_shift(degrees: float, scale: float) -> None:
    points = turned(ARCFACE_TEMPLATE, degrees, scale, (33, -12))
    found = similarity(points, ARCFACE_TEMPLATE)
    np.testing.assert_allclose(points @ found[:, :2].T + found[:, 2], ARCFACE_TEMPLATE, atol=1e-3)


def test_a_similarity_never_mirrors() -> None:
    mirrored = ARCFACE_TEMPLATE * np.array([-1, 1], np.float32)
    assert np.linalg.det(similarity(mirrored, ARCFACE_TEMPLATE)[:, :2]) >= 0


def test_five_points_bring_the_face_to_the_template() -> None:
    image = ramp(250, 250)
    crop = crop_of(image, portrait(20, 1.2, (70, 30)))
    back = cv2.invertAffineTransform(least_squares(portrait(20, 1.2, (70, 30)).landmarks, ARCFACE_TEMPLATE))
    down, across = np.mgrid[0:112, 0:112]
    x, y = (back @ np.stack([across.ravel(), down.ravel(), np.ones(112 * 112)])).reshape(2, 112, 112)
    inside = (x >= 0) & (x <= 249) & (y >= 0) & (y <= 249)
    np.testing.assert_allclose(crop[:, :, 0][inside], x[inside], atol=1)
    np.testing.assert_allclose(crop[:, :, 1][inside], y[inside], atol=1)


@pytest.mark.parametrize("degrees", [0, 30, -100])
def test_a_crop_is_what_opencv_warps_of_the_whole_image(degrees: float) -> None:
    pixels = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (300, 280, 3), np.uint8), (5, 5), 0)
    one = portrait(degrees, 1.3, (140, 150))
    expected = cv2.warpAffine(pixels, similarity(one.landmarks, ARCFACE_TEMPLATE), (112, 112), flags=cv2.INTER_LINEAR)
    np.testing.assert_allclose(crop_of(Image(np.asarray(pixels, np.uint8)), one), expected.astype(int), atol=2)


@pytest.mark.parametrize(
    "view",
    [FivePoint(view=(0, 0, 112, 112), height=96, width=96), FivePoint(view=(3, -8, 109, 120), height=140, width=116)],
)
def test_a_view_of_the_template_fills_the_crop_from_edge_to_edge(view: FivePoint) -> None:
    crop = crop_of(ramp(250, 250), portrait(), view)
    left, top, right, bottom = view.view
    columns = 60 + left - 0.5 + (np.arange(view.width) + 0.5) * (right - left) / view.width
    rows = 50 + top - 0.5 + (np.arange(view.height) + 0.5) * (bottom - top) / view.height
    np.testing.assert_allclose(crop[view.height // 2, :, 0], columns, atol=1)
    np.testing.assert_allclose(crop[:, view.width // 2, 1], rows, atol=1)


def test_a_box_is_stretched_to_the_crop() -> None:
    crop = crop_of(ramp(250, 250), face(60, 40, 80, 120), FACENET)
    np.testing.assert_allclose(crop[80, :, 0], 60 + (np.arange(160) + 0.5) * 80 / 160, atol=1)
    np.testing.assert_allclose(crop[:, 80, 1], 40 + (np.arange(160) + 0.5) * 120 / 160, atol=1)


def test_a_margin_is_added_on_each_side_of_a_box() -> None:
    crop = crop_of(ramp(250, 250), face(80, 80, 80, 80), BoxCrop(margin=0.25, height=120, width=120))
    np.testing.assert_allclose(crop[60, :, 0], 60.5 + np.arange(120), atol=1)


def test_a_box_is_turned_until_the_eyes_are_level() -> None:
    image = ramp(250, 250)
    level = face(70, 60, 100, 100)
    # The same face on its side: the image is turned a quarter, so that its columns become rows.
    points = np.stack([249 - level.landmarks[:, 1], level.landmarks[:, 0]], 1)
    lying = Face(Box(249 - 160, 70, 100, 100), points, 1.0)
    quarter = Image(np.ascontiguousarray(np.rot90(image.pixels, -1)))
    np.testing.assert_allclose(crop_of(quarter, lying, FACENET), crop_of(image, level, FACENET), atol=2)


@pytest.mark.parametrize("alignment", [SFACE, FACENET])
def test_a_crop_is_the_same_alone_and_among_others(alignment: FivePoint | BoxCrop) -> None:
    image = Image(np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8))
    faces = [portrait(degrees, scale, (150, 150)) for degrees, scale in ((0, 0.5), (20, 1.0), (-70, 3.0), (180, 9.0))]
    together = Aligner(alignment).align(image, faces)
    assert together.shape == (4, alignment.height, alignment.width, 3)
    for crop, one in zip(together, faces, strict=True):
        np.testing.assert_array_equal(Aligner(alignment).align(image, [one])[0], crop)


@pytest.mark.parametrize("alignment", [SFACE, FACENET])
@pytest.mark.parametrize("middle", [(0, 125), (249, 125), (125, 0), (125, 249)])
@pytest.mark.parametrize("scale", [1.0, 3.5])
def test_a_face_that_is_half_outside_is_black_there(
    alignment: FivePoint | BoxCrop, middle: tuple[float, float], scale: float
) -> None:
    """As if the image went on in black."""
    image, edge = Image(np.full((250, 250, 3), 200, np.uint8)), 600
    x, y = portrait(15, scale, (0, 0)).box.centre
    one = portrait(15, scale, (middle[0] - x, middle[1] - y))
    box = Box(one.box.x + edge, one.box.y + edge, one.box.width, one.box.height)
    extended = Image(np.pad(image.pixels, ((edge, edge), (edge, edge), (0, 0))))
    inside = crop_of(extended, Face(box, one.landmarks + edge, 1.0), alignment)
    found = crop_of(image, one, alignment)
    assert np.mean(np.abs(found - inside) > 2) < 0.05  # all but the line along the edge of the image
    assert (found == 0).any()
    assert (found == 200).any()


@pytest.mark.parametrize("shift", [(-900, 0), (900, 900), (0, 5_000)])
def test_a_face_that_is_wholly_outside_is_black(shift: tuple[float, float]) -> None:
    assert not crop_of(Image(np.full((250, 250, 3), 200, np.uint8)), portrait(0, 1.0, shift)).any()


def test_a_large_face_is_shrunk_without_moire() -> None:
    """Every other pixel is white: a face of ten times the crop's size is grey, not a pattern."""
    pixels = np.zeros((1_200, 1_200, 3), np.uint8)
    pixels[::2, 1::2] = pixels[1::2, ::2] = 255
    crop = crop_of(Image(pixels), portrait(3, 10.0, (20, 20)))[16:-16, 16:-16]
    assert crop.std() < 6
    assert abs(crop.mean() - 127) < 6


def test_shrinking_moves_nothing() -> None:
    crop = crop_of(ramp(1_000, 1_000, step=0.25), portrait(0, 8.0, (40, 40)))
    np.testing.assert_allclose(crop[56, :, 0], 0.25 * (40 + 8 * np.arange(112)), atol=1.5)


@pytest.mark.parametrize("alignment", [SFACE, FACENET])
def test_points_that_are_all_one_give_a_crop_all_the_same(alignment: FivePoint | BoxCrop) -> None:
    blind = Face(Box(50, 50, 30, 30), np.full((5, 2), 60, np.float32), 1.0)
    assert crop_of(ramp(100, 100), blind, alignment).shape == (alignment.height, alignment.width, 3)


@pytest.mark.parametrize("alignment", [SFACE, FACENET])
@given(
    corner=st.tuples(st.floats(-300, 300), st.floats(-300, 300)),
    size=st.tuples(st.floats(0.1, 600), st.floats(0.1, 600)),
    sides=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_any_box_in_any_image_gives_a_crop(
    alignment: FivePoint | BoxCrop, corner: tuple[float, float], size: tuple[float, float], sides: tuple[int, int]
) -> None:
    crop = crop_of(ramp(*sides), face(*corner, *size), alignment)
    assert crop.shape == (alignment.height, alignment.width, 3)


def test_no_face_gives_no_crop() -> None:
    assert Aligner(SFACE).align(ramp(10, 10), []).shape == (0, 112, 112, 3)
