import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.domain.face import Box, Face, Points
from service.domain.image import Image
from service.model_files.card import BoxAlignment, FivePointAlignment
from service.pipeline.alignment import ARCFACE_TEMPLATE, Aligner, similarity
from tests.support.fakes import frontal_face

SFACE_ALIGNMENT = FivePointAlignment(view=(0, 0, 112, 112), height=112, width=112)
FACENET_ALIGNMENT = BoxAlignment(margin=0.0, height=160, width=160)

COORDINATES = st.floats(-500, 500)


def transform_points(points: Points, degrees: float, scale: float, shift: tuple[float, float]) -> Points:
    angle = np.radians(degrees)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (points @ matrix.T + shift).astype(np.float32)


def solve_similarity(points: Points, template: Points) -> NDArray[np.float64]:
    """Return the least-squares solution of ten equations for a, b, c, d: x' = a x - b y + c, y' = b x + a y + d."""
    x, y = points.astype(np.float64).T
    ones, zeros = np.ones(5), np.zeros(5)
    equations = np.concatenate([np.stack([x, -y, ones, zeros], 1), np.stack([y, x, zeros, ones], 1)])
    a, b, c, d = np.linalg.lstsq(equations, template.astype(np.float64).T.ravel())[0]
    return np.array([[a, -b, c], [b, a, d]])


def gradient_image(width: int, height: int, step: float = 1.0) -> Image:
    """Return an image whose red value grows with x and whose green value grows with y, by `step` for each pixel.

    So the colours of a crop give the position of each of its pixels in the image.
    """
    y, x = np.mgrid[0:height, 0:width] * step
    return Image(np.stack([x, y, np.full((height, width), 255.0)], 2).round().astype(np.uint8))


def transformed_face(degrees: float = 0.0, scale: float = 1.0, shift: tuple[float, float] = (60.0, 50.0)) -> Face:
    """Return a face whose landmarks are those of the template, rotated, scaled and shifted."""
    points = transform_points(ARCFACE_TEMPLATE, degrees, scale, shift)
    top_left, bottom_right = points.min(axis=0), points.max(axis=0)
    return Face(
        Box(
            float(top_left[0]),
            float(top_left[1]),
            float(bottom_right[0] - top_left[0]),
            float(bottom_right[1] - top_left[1]),
        ),
        points,
        1.0,
    )


def cut_crop(
    image: Image, face: Face, alignment: FivePointAlignment | BoxAlignment = SFACE_ALIGNMENT
) -> NDArray[np.int64]:
    (crop,) = Aligner(alignment).align(image, [face])
    return np.asarray(crop, np.int64)


@given(points=st.lists(st.tuples(COORDINATES, COORDINATES), min_size=5, max_size=5, unique=True))
def test_a_similarity_is_the_least_squares_solution(points: list[tuple[float, float]]) -> None:
    source = np.array(points, np.float32)
    if np.ptp(source, axis=0).max() < 1.0:
        return
    np.testing.assert_allclose(
        similarity(source, ARCFACE_TEMPLATE), solve_similarity(source, ARCFACE_TEMPLATE), atol=1e-6
    )


@pytest.mark.parametrize("degrees", [-170, -45, 0, 10, 90])
@pytest.mark.parametrize("scale", [0.2, 1.0, 7.0])
def test_a_similarity_undoes_rotation_scale_and_shift(degrees: float, scale: float) -> None:
    points = transform_points(ARCFACE_TEMPLATE, degrees, scale, (33, -12))
    matrix = similarity(points, ARCFACE_TEMPLATE)
    np.testing.assert_allclose(points @ matrix[:, :2].T + matrix[:, 2], ARCFACE_TEMPLATE, atol=1e-3)


def test_a_similarity_never_mirrors() -> None:
    mirrored = ARCFACE_TEMPLATE * np.array([-1, 1], np.float32)
    assert np.linalg.det(similarity(mirrored, ARCFACE_TEMPLATE)[:, :2]) >= 0


def test_five_landmarks_are_moved_to_the_template() -> None:
    image = gradient_image(250, 250)
    crop = cut_crop(image, transformed_face(20, 1.2, (70, 30)))
    crop_to_image = cv2.invertAffineTransform(
        solve_similarity(transformed_face(20, 1.2, (70, 30)).landmarks, ARCFACE_TEMPLATE)
    )
    crop_y, crop_x = np.mgrid[0:112, 0:112]
    x, y = (crop_to_image @ np.stack([crop_x.ravel(), crop_y.ravel(), np.ones(112 * 112)])).reshape(2, 112, 112)
    inside = (x >= 0) & (x <= 249) & (y >= 0) & (y <= 249)
    np.testing.assert_allclose(crop[:, :, 0][inside], x[inside], atol=1)
    np.testing.assert_allclose(crop[:, :, 1][inside], y[inside], atol=1)


@pytest.mark.parametrize("degrees", [0, 30, -100])
def test_a_crop_equals_the_warp_of_the_whole_image_by_opencv(degrees: float) -> None:
    pixels = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (300, 280, 3), np.uint8), (5, 5), 0)
    face = transformed_face(degrees, 1.3, (140, 150))
    expected = cv2.warpAffine(pixels, similarity(face.landmarks, ARCFACE_TEMPLATE), (112, 112), flags=cv2.INTER_LINEAR)
    np.testing.assert_allclose(cut_crop(Image(np.asarray(pixels, np.uint8)), face), expected.astype(int), atol=2)


@pytest.mark.parametrize(
    "alignment",
    [
        FivePointAlignment(view=(0, 0, 112, 112), height=96, width=96),
        FivePointAlignment(view=(3, -8, 109, 120), height=140, width=116),
    ],
)
def test_a_view_of_the_template_fills_the_crop_from_edge_to_edge(alignment: FivePointAlignment) -> None:
    crop = cut_crop(gradient_image(250, 250), transformed_face(), alignment)
    left, top, right, bottom = alignment.view
    columns = 60 + left - 0.5 + (np.arange(alignment.width) + 0.5) * (right - left) / alignment.width
    rows = 50 + top - 0.5 + (np.arange(alignment.height) + 0.5) * (bottom - top) / alignment.height
    np.testing.assert_allclose(crop[alignment.height // 2, :, 0], columns, atol=1)
    np.testing.assert_allclose(crop[:, alignment.width // 2, 1], rows, atol=1)


def test_a_box_is_stretched_to_the_crop() -> None:
    crop = cut_crop(gradient_image(250, 250), frontal_face(60, 40, 80, 120), FACENET_ALIGNMENT)
    np.testing.assert_allclose(crop[80, :, 0], 60 + (np.arange(160) + 0.5) * 80 / 160, atol=1)
    np.testing.assert_allclose(crop[:, 80, 1], 40 + (np.arange(160) + 0.5) * 120 / 160, atol=1)


def test_a_margin_is_added_on_each_side_of_a_box() -> None:
    crop = cut_crop(
        gradient_image(250, 250), frontal_face(80, 80, 80, 80), BoxAlignment(margin=0.25, height=120, width=120)
    )
    np.testing.assert_allclose(crop[60, :, 0], 60.5 + np.arange(120), atol=1)


def test_a_box_is_rotated_until_the_eyes_are_level() -> None:
    image = gradient_image(250, 250)
    upright_face = frontal_face(70, 60, 100, 100)
    # The same face and image, rotated by 90 degrees: columns become rows.
    points = np.stack([249 - upright_face.landmarks[:, 1], upright_face.landmarks[:, 0]], 1)
    rotated_face = Face(Box(249 - 160, 70, 100, 100), points, 1.0)
    rotated_image = Image(np.ascontiguousarray(np.rot90(image.pixels, -1)))
    np.testing.assert_allclose(
        cut_crop(rotated_image, rotated_face, FACENET_ALIGNMENT),
        cut_crop(image, upright_face, FACENET_ALIGNMENT),
        atol=2,
    )


@pytest.mark.parametrize("alignment", [SFACE_ALIGNMENT, FACENET_ALIGNMENT])
def test_a_crop_is_the_same_alone_and_among_others(alignment: FivePointAlignment | BoxAlignment) -> None:
    image = Image(np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8))
    faces = [
        transformed_face(degrees, scale, (150, 150)) for degrees, scale in ((0, 0.5), (20, 1.0), (-70, 3.0), (180, 9.0))
    ]
    together = Aligner(alignment).align(image, faces)
    assert together.shape == (4, alignment.height, alignment.width, 3)
    for crop, face in zip(together, faces, strict=True):
        np.testing.assert_array_equal(Aligner(alignment).align(image, [face])[0], crop)


@pytest.mark.parametrize("alignment", [SFACE_ALIGNMENT, FACENET_ALIGNMENT])
@pytest.mark.parametrize("middle", [(0, 125), (249, 125), (125, 0), (125, 249)])
@pytest.mark.parametrize("scale", [1.0, 3.5])
def test_the_part_of_a_face_outside_of_the_image_is_black(
    alignment: FivePointAlignment | BoxAlignment, middle: tuple[float, float], scale: float
) -> None:
    """The crop is the same as the crop of an image with a black border."""
    image, border_px = Image(np.full((250, 250, 3), 200, np.uint8)), 600
    x, y = transformed_face(15, scale, (0, 0)).box.centre
    face = transformed_face(15, scale, (middle[0] - x, middle[1] - y))
    box = Box(face.box.x + border_px, face.box.y + border_px, face.box.width, face.box.height)
    bordered_image = Image(np.pad(image.pixels, ((border_px, border_px), (border_px, border_px), (0, 0))))
    expected = cut_crop(bordered_image, Face(box, face.landmarks + border_px, 1.0), alignment)
    crop = cut_crop(image, face, alignment)
    assert np.mean(np.abs(crop - expected) > 2) < 0.05  # only the pixels along the edge of the image may differ
    assert (crop == 0).any()
    assert (crop == 200).any()


@pytest.mark.parametrize("shift", [(-900, 0), (900, 900), (0, 5_000)])
def test_a_face_outside_of_the_image_gives_a_black_crop(shift: tuple[float, float]) -> None:
    assert not cut_crop(Image(np.full((250, 250, 3), 200, np.uint8)), transformed_face(0, 1.0, shift)).any()


def test_a_large_face_is_shrunk_without_moire() -> None:
    """Every other pixel is white. The crop of a face of ten times its size is grey, without a pattern."""
    pixels = np.zeros((1_200, 1_200, 3), np.uint8)
    pixels[::2, 1::2] = pixels[1::2, ::2] = 255
    crop = cut_crop(Image(pixels), transformed_face(3, 10.0, (20, 20)))[16:-16, 16:-16]
    assert crop.std() < 6
    assert abs(crop.mean() - 127) < 6


def test_shrinking_does_not_shift_the_crop() -> None:
    crop = cut_crop(gradient_image(1_000, 1_000, step=0.25), transformed_face(0, 8.0, (40, 40)))
    np.testing.assert_allclose(crop[56, :, 0], 0.25 * (40 + 8 * np.arange(112)), atol=1.5)


@pytest.mark.parametrize("alignment", [SFACE_ALIGNMENT, FACENET_ALIGNMENT])
def test_five_equal_landmarks_still_give_a_crop(alignment: FivePointAlignment | BoxAlignment) -> None:
    face = Face(Box(50, 50, 30, 30), np.full((5, 2), 60, np.float32), 1.0)
    assert cut_crop(gradient_image(100, 100), face, alignment).shape == (alignment.height, alignment.width, 3)


@pytest.mark.parametrize("alignment", [SFACE_ALIGNMENT, FACENET_ALIGNMENT])
@given(
    corner=st.tuples(st.floats(-300, 300), st.floats(-300, 300)),
    size=st.tuples(st.floats(0.1, 600), st.floats(0.1, 600)),
    sides=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_any_box_in_any_image_gives_a_crop(
    alignment: FivePointAlignment | BoxAlignment,
    corner: tuple[float, float],
    size: tuple[float, float],
    sides: tuple[int, int],
) -> None:
    crop = cut_crop(gradient_image(*sides), frontal_face(*corner, *size), alignment)
    assert crop.shape == (alignment.height, alignment.width, 3)


def test_no_faces_give_no_crops() -> None:
    assert Aligner(SFACE_ALIGNMENT).align(gradient_image(10, 10), []).shape == (0, 112, 112, 3)
