"""Indexes by name: "module:Class", resolved on demand. Any other name is FAISS's own, such as `IDMap2,Flat`."""

from functools import partial
from pkgutil import resolve_name

from service.galleries.base import BuildIndex

INDEXES = {"exact": "service.galleries.exact:ExactIndex", "faiss": "service.galleries.faiss:FaissIndex"}


def index_builder(name: str) -> BuildIndex:
    """What makes the indexes of this name: one of the table's, or a factory string of FAISS."""
    builder: BuildIndex = (
        resolve_name(INDEXES[name]) if name in INDEXES else partial(resolve_name(INDEXES["faiss"]), factory=name)
    )
    return builder
