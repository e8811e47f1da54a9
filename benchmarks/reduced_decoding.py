"""Large photographs that are decoded at half of their sides: how long it takes, and how far the embeddings move.

    python -m benchmarks.reduced_decoding LFW/images [--photographs 200] [--megapixels 12]

Photographs of different people are enlarged. Each is decoded and embedded twice: as the service does it, and at its
full size. The two are timed one after the other.
"""

import argparse
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.alternating import alternate, shortest
from benchmarks.speed.photographs import enlarge
from models.commands.options import PipelineChoice
from models.progress import progress_bar
from service.domain.distances import paired_squared_l2
from service.domain.errors import FacenetError
from service.pipeline.decoding.decode import decode, full_size
from service.pipeline.embedders.base import Embedder
from service.pipeline.extraction import FaceExtractor
from service.pipeline.opening import open_embedder, open_face_extractor
from service.pipeline.selection import main_face

NEAR_SQ_L2 = 0.01


@dataclass(frozen=True)
class Compared:
    """One photograph, reduced and at its full size.

    time_ratio: of the two decodings. distance: squared L2 between the two embeddings.
    """

    time_ratio: float
    distance: float


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="a folder for each person")
    parser.add_argument("--photographs", type=int, default=200)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--model", default="sface", help="the embedder")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    options = PipelineChoice(arguments.model).pipeline_options()
    embedder = open_embedder(options)
    extractor = open_face_extractor(options, embedder.card)
    people = sorted(folder for folder in arguments.images.iterdir() if folder.is_dir())
    chosen = people[:: max(1, len(people) // arguments.photographs)]
    found: list[Compared] = []
    with progress_bar(arguments.photographs, "comparing") as done:
        for folder in islice(chosen, arguments.photographs):
            photograph = enlarge(next(iter(sorted(folder.glob("*.jpg")))).read_bytes(), arguments.megapixels)
            found += _compare(extractor, embedder, photograph)
            done()
    Console().print(_table(found))


def _compare(extractor: FaceExtractor, embedder: Embedder, photograph: bytes) -> list[Compared]:
    """Compare both ways to decode. Nothing is returned if no face is found."""
    at_full_size = replace(extractor, choose_reduction=full_size)
    decode_reduced = partial(decode, photograph, extractor.max_pixels, extractor.choose_reduction)
    decode_full = partial(decode, photograph, extractor.max_pixels)
    try:
        reduced, full = (embedder.embed(one.extract(photograph, main_face).crops) for one in (extractor, at_full_size))
    except FacenetError:
        return []
    if not len(reduced) or not len(full):
        return []
    reduced_s, full_s = shortest(alternate(decode_reduced, decode_full, rounds=2))
    return [Compared(reduced_s / full_s, float(paired_squared_l2(reduced, full)[0]))]


def _table(found: list[Compared]) -> Table:
    ratios, distances = np.array([[one.time_ratio, one.distance] for one in found]).T
    table = Table("photographs", str(len(found)))
    table.add_row("time to decode, divided by that of the full size: median", f"{np.median(ratios):.2f}")
    table.add_row("the same: 5 %, 95 %", ", ".join(f"{one:.2f}" for one in np.percentile(ratios, [5, 95])))
    table.add_row("distance between the embeddings: median", f"{np.median(distances):.4f}")
    table.add_row(
        "the same: 90 %, 99 %, largest", ", ".join(f"{x:.4f}" for x in np.percentile(distances, [90, 99, 100]))
    )
    table.add_row(f"within {NEAR_SQ_L2}", f"{np.mean(distances <= NEAR_SQ_L2):.1%}")
    return table


if __name__ == "__main__":
    main()
