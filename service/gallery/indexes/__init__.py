"""The kinds of index by name, as "module:Class". Any other name is a factory string of FAISS.

A module is imported only when its index is used.
"""

from functools import partial
from pkgutil import resolve_name

from service.gallery.indexes.base import CreateIndex

INDEXES = {
    "exact": "service.gallery.indexes.exact:ExactIndex",
    "faiss": "service.gallery.indexes.faiss:FaissIndex",
}


def index_factory(name: str) -> CreateIndex:
    """Return a function that creates empty indexes. name: a name in INDEXES, or a factory string of FAISS."""
    factory: CreateIndex = (
        resolve_name(INDEXES[name]) if name in INDEXES else partial(resolve_name(INDEXES["faiss"]), factory=name)
    )
    return factory
