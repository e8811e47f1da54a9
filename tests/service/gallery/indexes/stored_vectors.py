"""Stored embeddings in a dictionary, as the records would have them."""

import numpy as np

from service.domain.embedding import Embeddings
from service.gallery.base import FaceNumbers
from tests.service.gallery.random_faces import MODEL


class StoredVectors:
    """Embeddings by the numbers of their faces. reads: how many were read."""

    def __init__(self) -> None:
        self.by_number: dict[int, Embeddings] = {}
        self.reads = 0

    def store(self, numbers: FaceNumbers, embeddings: Embeddings) -> None:
        self.by_number.update(zip(numbers.tolist(), embeddings, strict=True))

    def delete(self, numbers: FaceNumbers) -> None:
        for number in numbers.tolist():
            self.by_number.pop(number, None)

    def read(self, numbers: FaceNumbers) -> tuple[FaceNumbers, Embeddings]:
        assert (np.diff(numbers) > 0).all()
        found = [number for number in numbers.tolist() if number in self.by_number]
        self.reads += len(found)
        embeddings = np.array([self.by_number[number] for number in found], np.float32)
        return np.array(found, np.int64), embeddings.reshape(-1, MODEL.dimension)
