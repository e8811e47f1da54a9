from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.conversion.torch_tensors import read_tensors
from service.domain.face import Crops
from service.model_files.card import LandmarksCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model

Array = NDArray[np.float64]


def test_the_converted_graph_gives_the_landmarks_of_the_published_layers(
    models_dir: Path, original: Callable[[str], bytes], crops: Callable[[str], Crops]
) -> None:
    faces = np.stack([cv2.resize(face, (48, 48), interpolation=cv2.INTER_AREA) for face in crops("sface")])
    converted = open_model(models_dir / "onet.onnx", LandmarksCard, Execution()).session

    (landmarks,) = converted.run(["landmarks"], {"crops": faces.astype(np.uint8)})

    np.testing.assert_allclose(
        landmarks, _run_layers(faces.astype(np.float64), read_tensors(original("onet"))), atol=1e-6
    )


def test_eyes_nose_and_mouth_are_in_their_order(models_dir: Path, crops: Callable[[str], Crops]) -> None:
    faces = np.stack([cv2.resize(face, (48, 48), interpolation=cv2.INTER_AREA) for face in crops("sface")])
    converted = open_model(models_dir / "onet.onnx", LandmarksCard, Execution()).session

    (landmarks,) = converted.run(["landmarks"], {"crops": faces.astype(np.uint8)})

    for right_eye, left_eye, nose, right_mouth, left_mouth in landmarks:
        assert right_eye[0] < nose[0] < left_eye[0]
        assert right_mouth[0] < nose[0] < left_mouth[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


def _run_layers(pixels: Array, weights: dict[str, NDArray[np.float32]]) -> Array:
    """Compute ONet.forward of facenet-pytorch layer by layer. pixels: (n, 48, 48, 3). Returns (n, 5, 2)."""
    x = (pixels.transpose(0, 3, 1, 2) - 127.5) * 0.0078125
    for layer, window in ((1, 3), (2, 3), (3, 2), (4, 0)):
        x = _convolution(x, weights[f"conv{layer}.weight"], weights[f"conv{layer}.bias"])
        x = _prelu(x, weights[f"prelu{layer}.weight"])
        x = _pool(x, window) if window else x
    x = x.transpose(0, 3, 2, 1).reshape(len(x), -1)
    x = _prelu(x @ weights["dense5.weight"].T + weights["dense5.bias"], weights["prelu5.weight"])
    points = x @ weights["dense6_3.weight"].T + weights["dense6_3.bias"]
    return np.stack([points[:, :5], points[:, 5:]], axis=2).astype(np.float64)


def _convolution(x: Array, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> Array:
    side = weight.shape[2]
    rows, columns = x.shape[2] - side + 1, x.shape[3] - side + 1
    y: Array = np.tile(bias.astype(np.float64).reshape(1, -1, 1, 1), (len(x), 1, rows, columns))
    for down in range(side):
        for across in range(side):
            part = x[:, :, down : down + rows, across : across + columns]
            y += np.einsum("nchw,oc->nohw", part, weight[:, :, down, across])
    return y


def _prelu(x: Array, slope: NDArray[np.float32]) -> Array:
    return np.where(x > 0, x, x * slope.astype(np.float64).reshape(1, -1, *[1] * (x.ndim - 2)))


def _pool(x: Array, window: int) -> Array:
    """Compute the maximum of windows at stride 2. The last window may reach beyond the edge."""
    rows, columns = (-(-(side - window) // 2) + 1 for side in x.shape[2:])
    y = np.empty((*x.shape[:2], rows, columns))
    for row in range(rows):
        for column in range(columns):
            y[:, :, row, column] = x[:, :, 2 * row : 2 * row + window, 2 * column : 2 * column + window].max((2, 3))
    return y
