"""Embedders that are one ONNX file: all that makes a model special is in its graph and its card."""

import numpy as np

from service.card import EmbedderCard
from service.domain import Crops, Embeddings
from service.model_file import ModelFile


class OnnxEmbedder:
    """Embeds in ONNX Runtime. Safe to call from several threads at once."""

    def __init__(self, file: ModelFile[EmbedderCard]) -> None:
        self._file = file

    @property
    def card(self) -> EmbedderCard:
        """Identity, dimension, alignment and thresholds."""
        return self._file.card

    def embed(self, crops: Crops) -> Embeddings:
        """crops: (n, h, w, 3) uint8 RGB of the card's size. Returns (n, d) float32, each row of unit length.

        Raises ValueError for crops of another shape or type: they were cut for another model.
        """
        alignment = self.card.alignment
        if crops.shape[1:] != (alignment.height, alignment.width, 3) or crops.dtype != np.uint8:
            raise ValueError(
                f"{self.card.name} takes crops of (n, {alignment.height}, {alignment.width}, 3) uint8, "
                f"not {crops.shape} {crops.dtype}"
            )
        return np.asarray(self._file.session.run(["embeddings"], {"crops": crops})[0], np.float32)
