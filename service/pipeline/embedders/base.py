"""The interface of an embedder."""

from typing import Protocol

from service.domain.embedding import Embeddings
from service.domain.face import Crops
from service.model_files.card import EmbedderCard


class Embedder(Protocol):
    """Maps aligned faces to unit vectors. Safe to call from several threads at once."""

    @property
    def card(self) -> EmbedderCard: ...

    def embed(self, crops: Crops) -> Embeddings:
        """Embed crops.

        crops: (n, h, w, 3) uint8 RGB, of the size in the card.
        Returns (n, d) float32, each row of unit length.
        """
        ...
