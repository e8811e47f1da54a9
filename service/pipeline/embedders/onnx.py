"""Embedders that run in ONNX Runtime. What differs between models is in the file: the graph and the card."""

import numpy as np

from service.domain.embedding import Embeddings
from service.domain.face import Crops
from service.model_files.card import EmbedderCard
from service.model_files.model_file import ModelFile


class OnnxEmbedder:
    """Embeds crops in ONNX Runtime. Safe to call from several threads at once."""

    def __init__(self, file: ModelFile[EmbedderCard]) -> None:
        self._file = file

    @property
    def card(self) -> EmbedderCard:
        return self._file.card

    def embed(self, crops: Crops) -> Embeddings:
        """Embed crops.

        crops: (n, h, w, 3) uint8 RGB, of the size in the card.
        Returns (n, d) float32, each row of unit length.
        Raises ValueError if the crops have another shape or type. They were then made for another model.
        """
        alignment = self.card.alignment
        if crops.shape[1:] != (alignment.height, alignment.width, 3) or crops.dtype != np.uint8:
            raise ValueError(
                f"{self.card.name} takes crops of (n, {alignment.height}, {alignment.width}, 3) uint8, "
                f"not {crops.shape} {crops.dtype}"
            )
        return self._run(crops)

    def _run(self, crops: Crops) -> Embeddings:
        return np.asarray(self._file.session.run(["embeddings"], {"crops": crops})[0], np.float32)
