"""How near an embedding from a kept crop is to that from the photograph, and how large a crop is.

    python -m benchmarks.kept_crops LFW/images [--photographs 300] [--models sface facenet compact] [--enlarge 4]

For each photograph, the main face is embedded from the photograph, and from what is kept of it. The table has the
squared L2 distances between the two. `--enlarge` makes the photographs larger before, because those of LFW are small.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from models.commands.options import PipelineChoice
from service.pipeline.alignment import Aligner, keep_crop
from service.pipeline.embedders.onnx import OnnxEmbedder
from service.pipeline.extraction import FaceExtractor
from service.pipeline.opening import open_embedder, open_face_extractor
from service.pipeline.selection import main_face


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--photographs", type=int, default=300)
    parser.add_argument("--models", nargs="+", default=["sface", "facenet", "compact"])
    parser.add_argument("--enlarge", type=int, default=1)
    arguments = parser.parse_args()
    files = sorted(arguments.images.rglob("*_0001.jpg"))
    files = files[:: max(1, len(files) // arguments.photographs)]
    embedders = {name: open_embedder(PipelineChoice(name).pipeline_options()) for name in arguments.models}
    options = PipelineChoice(arguments.models[0]).pipeline_options()
    extractor = open_face_extractor(options, embedders[arguments.models[0]].card)
    sizes: list[int] = []
    distances: dict[str, list[float]] = {name: [] for name in embedders}
    for file in files:
        measure(read(file, arguments.enlarge), extractor, embedders, sizes, distances)
    Console().print(table_of(sizes, distances))


def read(file: Path, enlarge: int) -> bytes:
    """Return the bytes of a photograph whose sides are `enlarge` times as long."""
    if enlarge == 1:
        return file.read_bytes()
    pixels = cv2.imread(str(file))
    if pixels is None:
        raise SystemExit(f"{file} is not a photograph.")
    large = cv2.resize(pixels, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def measure(
    photograph: bytes,
    extractor: FaceExtractor,
    embedders: dict[str, OnnxEmbedder],
    sizes: list[int],
    distances: dict[str, list[float]],
) -> None:
    """Add the size of the crop, and the distance for each model."""
    found = extractor.detect(photograph, main_face)
    for face in found.faces:
        kept = keep_crop(found.image, face)
        sizes.append(len(kept.to_bytes()))
        for name, embedder in embedders.items():
            aligner = Aligner(embedder.card.alignment)
            (of_photograph,) = embedder.embed(aligner.align(found.image, [face]))
            (of_kept,) = embedder.embed(replace(extractor, aligner=aligner).crops_of_kept(kept))
            distances[name].append(float(np.sum((of_photograph - of_kept) ** 2)))


def table_of(sizes: Sequence[int], distances: dict[str, list[float]]) -> Table:
    """Return the table of all models."""
    title = f"{len(sizes)} faces; a crop has {np.mean(sizes) / 1000:.0f} kB, at most {max(sizes) / 1000:.0f}"
    table = Table("model", "median", "99 %", "largest", title=title)
    for name, found in distances.items():
        table.add_row(name, *(f"{value:.4f}" for value in (np.median(found), np.quantile(found, 0.99), max(found))))
    return table


if __name__ == "__main__":
    main()
