"""Embeddings, and the checks for embeddings that come from a client."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.domain.errors import InvalidEmbedding

Embeddings = NDArray[np.float32]
"""(n, d) float32. Each row is a unit vector."""

Vector = Sequence[float] | NDArray[np.float32] | NDArray[np.float64]
"""(d,): one embedding that is not checked yet."""

UNIT_TOLERANCE = 1e-3
"""How much the length of a client's embedding may differ from 1. Numbers with six digits are exact enough."""


def check_embedding(vector: Vector, dimension: int) -> Embeddings:
    """Return a client's vector as (1, dimension) float32 of length 1.

    Raises InvalidEmbedding if it has another dimension, if a number is not finite, or if its length is not 1.
    """
    return _check([vector], dimension, [None])


def check_embeddings(vectors: Sequence[Vector], dimension: int) -> Embeddings:
    """Return a client's vectors as (n, dimension) float32 of length 1.

    Raises InvalidEmbedding for the first vector that `check_embedding` would refuse. The error names its position.
    """
    return _check(vectors, dimension, [f"embeddings[{position}]" for position in range(len(vectors))])


def check_rows(rows: NDArray[np.float64]) -> tuple[Embeddings, dict[int, InvalidEmbedding]]:
    """Divide each row by its length. Return the rows, (n, d) float32, and the error of each bad row by its position.

    A bad row is not finite, or its length is not 1. Do not use it. No number is -0: it is 0, with other bytes.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        norms = np.linalg.norm(rows, axis=1)
        unit_rows = np.asarray(rows / norms[:, np.newaxis], np.float32) + np.float32(0)
    bad = np.flatnonzero(~(np.abs(norms - 1.0) <= UNIT_TOLERANCE))  # `<=` is false for NaN too
    return unit_rows, {int(row): _not_unit(None, float(norms[row])) for row in bad}


def embedding_sha256(embedding: NDArray[np.float32]) -> str:
    """Return the sha256 of an embedding: its numbers as float32, little-endian. It stands for a photograph's sha256."""
    return hashlib.sha256(np.ascontiguousarray(embedding, "<f4").data).hexdigest()


def wrong_dimension(found: int, dimension: int, input_name: str | None = None) -> InvalidEmbedding:
    """Return the error of a vector that does not have the dimension of the model."""
    return _invalid(input_name, f"The embedding has {found} numbers, and this model needs {dimension}.")


def _check(vectors: Sequence[Vector], dimension: int, input_names: Sequence[str | None]) -> Embeddings:
    """Check all vectors in one NumPy call. This is fifty times as fast as one call for each vector."""
    for vector, input_name in zip(vectors, input_names, strict=True):
        if len(vector) != dimension:
            raise wrong_dimension(len(vector), dimension, input_name)
    embeddings, bad = check_rows(np.asarray(vectors, np.float64).reshape(-1, dimension))
    for row, error in bad.items():
        error.input_name = input_names[row]
        raise error
    return embeddings


def _not_unit(input_name: str | None, norm: float) -> InvalidEmbedding:
    if not np.isfinite(norm):
        return _invalid(input_name, "The embedding holds a number that is not finite or too large. Send a unit vector.")
    if norm == 0.0:
        return _invalid(input_name, "The embedding is zero, so it has no direction. Send a unit vector.")
    return _invalid(
        input_name, f"The length of the embedding is {norm:.4g}, not 1. Divide the embedding by its length."
    )


def _invalid(input_name: str | None, message: str) -> InvalidEmbedding:
    error = InvalidEmbedding(message)
    error.input_name = input_name
    return error
