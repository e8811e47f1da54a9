"""The photographs that are sent: small ones from a folder of people, and large ones that are made from them."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.models_alone import PhotographPair
from service.pipeline.decoding.decode import decode

ROOT = Path(__file__).parents[2]
LFW = ROOT.parent / "shared" / "lfw" / "images"
SMALL = "small"
SMALL_COUNT = 60
LARGE_COUNT = 8
JPEG_QUALITY = 90
NOISE_LEVELS = 4.0
"""Standard deviation of the noise in large photographs, of 255. Without it, the files are smaller than a camera's."""


@dataclass(frozen=True)
class PhotographSet:
    """Photographs of one size, as files.

    name: SMALL, or the size in megapixels.
    """

    name: str
    photographs: list[bytes]

    @property
    def pairs(self) -> list[PhotographPair]:
        """Neighbouring photographs."""
        return list(itertools.pairwise(self.photographs))

    @property
    def kilobytes(self) -> float:
        """The mean size of a file."""
        return float(np.mean([len(one) for one in self.photographs])) / 1000


def default_folder() -> Path:
    """Return the folder of LFW if it is there, otherwise that of the photographs of the demo."""
    return LFW if LFW.is_dir() else ROOT / "var" / "photographs"


def read_sets(folder: Path, megapixels: list[float]) -> list[PhotographSet]:
    """Read the small photographs, and make the large ones. folder: FOLDER/PERSON/FILE."""
    small = [file.read_bytes() for file in itertools.islice(sorted(folder.glob("*/*.*")), SMALL_COUNT)]
    large = [PhotographSet(f"{size:g} MP", [enlarge(one, size) for one in small[:LARGE_COUNT]]) for size in megapixels]
    return [PhotographSet(SMALL, small), *large]


def enlarge(photograph: bytes, megapixels: float) -> bytes:
    """Return the photograph as a JPEG of this size, with the noise of a camera. Its shape stays the same."""
    pixels = decode(photograph, max_pixels=10**8).pixels
    factor = (megapixels * 1e6 / (pixels.shape[0] * pixels.shape[1])) ** 0.5
    large = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).normal(0, NOISE_LEVELS, large.shape[:2]).astype(np.float32)
    noisy = np.clip(large + noise[..., np.newaxis], 0, 255).astype(np.uint8)
    _, file = cv2.imencode(".jpg", noisy[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return file.tobytes()
