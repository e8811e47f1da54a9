from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from cv2.typing import MatLike as Head

from service.model_files.card import DetectorCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.decoding.decode import decode

SIDE_PX = 640
STRIDES = (8, 16, 32)
HEADS = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES]


def test_the_converted_graph_decodes_the_heads_of_the_published_file(
    models_dir: Path, original: Callable[[str], bytes], photographs: Path
) -> None:
    photograph = decode((photographs / "obama" / "obama2.jpg").read_bytes(), 50_000_000).pixels
    image = np.asarray(cv2.resize(photograph, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)

    published = cv2.dnn.readNetFromONNX(np.frombuffer(original("yunet"), np.uint8))
    published.setInput(image[None, ..., ::-1].transpose(0, 3, 1, 2).astype(np.float32))
    heads = dict(zip(HEADS, published.forward(HEADS), strict=True))
    converted = open_model(models_dir / "yunet.onnx", DetectorCard, Execution()).session
    boxes, scores, landmarks = converted.run(["boxes", "scores", "landmarks"], {"images": image[None]})

    cells = [_cell(heads, stride, cell) for stride in STRIDES for cell in range((SIDE_PX // stride) ** 2)]
    # The squares of the scores are compared. Without a face, the two libraries differ by 1e-8 before the square root.
    # After it, they would differ by 1e-4.
    np.testing.assert_allclose(scores[0] ** 2, [score**2 for _, score, _ in cells], atol=1e-5)
    faces = [row for row, (_, score, _) in enumerate(cells) if score > 0.5]
    assert faces
    for row in faces:
        box, _, points = cells[row]
        np.testing.assert_allclose(boxes[0, row], box, atol=0.02)
        np.testing.assert_allclose(landmarks[0, row], points, atol=0.02)


def _cell(heads: dict[str, Head], stride: int, cell: int) -> tuple[list[float], float, list[list[float]]]:
    """Decode a cell as FaceDetectorYN of OpenCV does. Returns the box, the score and the landmarks."""
    row, column = divmod(cell, SIDE_PX // stride)
    dx, dy, log_width, log_height = heads[f"bbox_{stride}"][0, cell].tolist()
    width, height = np.exp(log_width) * stride, np.exp(log_height) * stride
    box = [(column + dx) * stride - width / 2, (row + dy) * stride - height / 2, width, height]
    class_score, objectness = heads[f"cls_{stride}"][0, cell].item(), heads[f"obj_{stride}"][0, cell].item()
    score = float(np.sqrt(np.clip(class_score, 0, 1) * np.clip(objectness, 0, 1)))
    points = heads[f"kps_{stride}"][0, cell].reshape(5, 2).tolist()
    return box, score, [[(column + x) * stride, (row + y) * stride] for x, y in points]
