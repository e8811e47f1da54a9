"""Open the bytes of a model file before the file is written. So exactly these bytes are measured."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from service.model_files.card import EmbedderCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.embedders.onnx import OnnxEmbedder

THREADS = os.cpu_count() or 1
"""How many calls of the embedder may run at the same time. Each call uses one core."""


def open_candidate_file(path: Path) -> OnnxEmbedder:
    """Open the file of an embedder on the CPU. Raises ModelFileError."""
    return OnnxEmbedder(open_model(path, EmbedderCard, Execution()))


def open_candidate_bytes(data: bytes) -> OnnxEmbedder:
    """Open the bytes of an embedder's file. Nothing stays on the disk. Raises ModelFileError."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "candidate.onnx"
        file.write_bytes(data)
        return open_candidate_file(file)
