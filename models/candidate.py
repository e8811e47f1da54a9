"""A model's bytes opened before they are written, so that what was measured is what will lie on the disk."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from service.card import EmbedderCard
from service.embedders.onnx import OnnxEmbedder
from service.model_file import open_model

THREADS = os.cpu_count() or 1
"""How many calls may run side by side; each takes one core."""


def open_embedder(path: Path) -> OnnxEmbedder:
    """An embedder's file, on the processor. Raises ModelFileError."""
    return OnnxEmbedder(open_model(path, EmbedderCard, "cpu", threads=1))


def open_candidate(data: bytes) -> OnnxEmbedder:
    """What the file will be once `data` is written. Nothing stays on the disk. Raises ModelFileError."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "candidate.onnx"
        file.write_bytes(data)
        return open_embedder(file)
