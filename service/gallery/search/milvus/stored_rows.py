"""The rows of faces in Milvus: one for each face."""

import json
import secrets
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from service.domain.embedding import Embeddings

NUMBER, COLLECTION, MARK, EMBEDDING = "number", "collection", "mark", "embedding"
SCHEMA = 1
"""Another number means other fields."""
Row = tuple[int, int]
"""What is compared of a stored face: the key of its collection, and its mark."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceRows:
    """New rows of one collection. numbers: of the faces. marks: one for each. embeddings: (n, d) float32."""

    collection: int
    numbers: list[int]
    marks: list[int]
    embeddings: Embeddings

    def as_entities(self) -> list[dict[str, Any]]:
        """Return them as pymilvus takes them."""
        rows = zip(self.numbers, self.marks, self.embeddings, strict=True)
        return [
            {NUMBER: number, COLLECTION: self.collection, MARK: mark, EMBEDDING: embedding}
            for number, mark, embedding in rows
        ]


def mark_of(face: str) -> int:
    """Return a number of 56 bits that is different for each face. face: its id.

    After a backup was restored, a new face can get the number of a face that Milvus still has. It gets another id.
    """
    return int.from_bytes(blake2b(face.encode(), digest_size=7).digest())


def new_collection_name(gallery: str, dimension: int) -> str:
    """Return a name for the collection of Milvus that holds the faces of this dimension.

    It is never given again. So a replica notices if another one had to create the collection again.
    """
    return f"{name_prefix(gallery, dimension)}{secrets.token_hex(4)}"


def name_prefix(gallery: str, dimension: int | None = None) -> str:
    """Return how the names of the collections of a gallery begin, of this dimension or of all."""
    prefix = f"faces_{''.join(letter for letter in gallery if letter.isalnum())[:12]}_"
    return prefix if dimension is None else f"{prefix}{dimension}_"


def dimension_of(name: str) -> int:
    """Return the dimension of the faces of a collection of Milvus. name: begins with `name_prefix`."""
    return int(name.split("_")[2])


def description(gallery: str, dimension: int) -> str:
    """Return what the collection of Milvus says about itself."""
    return json.dumps({"gallery": gallery, "dimension": dimension, "schema": SCHEMA})
