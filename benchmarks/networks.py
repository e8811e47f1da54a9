"""The networks of the service beside what they replace, in one process and on one thread.

    python -m benchmarks.networks [--calls 16] [--models var/models] [--packages var/packages]

The embedder in 8-bit integers beside float32, and the detector beside the same network in OpenCV (FaceDetectorYN). The
calls alternate, and the shortest time of each counts.
"""

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.alternating import Call, alternate, shortest
from benchmarks.speed.photographs import default_folder, enlarge, read_sets
from service.model_files.card import DetectorCard, EmbedderCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.decoding.decode import decode
from service.pipeline.detection.overlaps import NMS_IOU
from service.pipeline.detection.yunet import NMS_TOP_K, YuNet
from service.pipeline.embedders.onnx import OnnxEmbedder

ROOT = Path(__file__).parents[1]
BATCHES = (1, 2, 8)
SIDES_PX = (256, 640, 960)
MIN_SCORE = 0.8
ORIGINAL_YUNET = "face_detection_yunet_2023mar_int8bq.onnx"
"""As its authors published it. `facenet-models pull yunet` keeps it."""


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=16, help="of each")
    parser.add_argument("--models", type=Path, default=ROOT / "var" / "models")
    parser.add_argument("--packages", type=Path, default=ROOT / "var" / "packages", help=f"has {ORIGINAL_YUNET}")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    table = Table("", "ms", "beside, ms", "divided")
    for name, call, beside in [*_embedders(arguments.models), *_detectors(arguments.models, arguments.packages)]:
        first, second = shortest(alternate(call, beside, arguments.calls))
        table.add_row(name, f"{1e3 * first:.1f}", f"{1e3 * second:.1f}", f"{first / second:.2f}")
    Console().print(table)


def _embedders(models: Path) -> Iterator[tuple[str, Call, Call]]:
    int8, float32 = (
        OnnxEmbedder(open_model(models / f"{name}.onnx", EmbedderCard, Execution())) for name in ("sface-int8", "sface")
    )
    for batch in BATCHES:
        height, width = int8.card.alignment.height, int8.card.alignment.width
        crops = np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), np.uint8)
        yield f"sface-int8 / sface, crops in a call: {batch}", partial(int8.embed, crops), partial(float32.embed, crops)


def _detectors(models: Path, packages: Path) -> Iterator[tuple[str, Call, Call]]:
    ours = YuNet(
        open_model(models / "yunet.onnx", DetectorCard, Execution()), min_score=MIN_SCORE, small_min_score=MIN_SCORE
    )
    photograph = read_sets(default_folder(), [])[0].photographs[0]
    for side_px in SIDES_PX:
        large = decode(enlarge(photograph, 4.0), max_pixels=10**8).pixels
        pixels = np.asarray(cv2.resize(large, (side_px, side_px), interpolation=cv2.INTER_AREA), np.uint8)
        opencv = cv2.FaceDetectorYN.create(
            str(packages / ORIGINAL_YUNET), "", (side_px, side_px), MIN_SCORE, NMS_IOU, NMS_TOP_K
        )
        blue_first = np.ascontiguousarray(pixels[:, :, ::-1])
        yield f"YuNet / FaceDetectorYN, {side_px} px", partial(ours.detect, pixels), partial(opencv.detect, blue_first)


if __name__ == "__main__":
    main()
