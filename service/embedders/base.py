"""The seam: what an embedder is to the pipeline."""

from typing import Protocol

from service.card import EmbedderCard
from service.domain import Crops, Embeddings


class Embedder(Protocol):
    """Maps aligned faces to unit vectors. Safe to call from several threads at once."""

    @property
    def card(self) -> EmbedderCard:
        """Identity, dimension, alignment and thresholds."""
        ...

    def embed(self, crops: Crops) -> Embeddings:
        """crops: (n, h, w, 3) uint8 RGB of the card's size. Returns (n, d) float32, each row of unit length."""
        ...
