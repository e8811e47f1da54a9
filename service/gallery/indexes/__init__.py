"""The kinds of index by name, as "module:Class". A module is imported only when its index is used."""

from pkgutil import resolve_name

from service.domain.command_errors import InvalidSettings
from service.gallery.indexes.base import CreateIndex

INDEXES = {
    "faiss": "service.gallery.indexes.segments.segmented:SegmentedIndex",
    "flat": "service.gallery.indexes.flat:FlatIndex",
    "exact": "service.gallery.indexes.exact:ExactIndex",
}

PGVECTOR = "pgvector"
"""The database searches, so nothing is in memory."""
MILVUS = "milvus"
"""A Milvus server searches."""

FORMER_NAMES = {"IDMap2,Flat": "flat", "IDMap,Flat": "flat"}
"""Names of earlier versions, which were factory strings of FAISS."""


def index_factory(name: str) -> CreateIndex:
    """Return a function that creates empty indexes. name: a name in INDEXES or FORMER_NAMES.

    Raises InvalidSettings.
    """
    place = INDEXES.get(FORMER_NAMES.get(name, name))
    if place is None:
        names = ", ".join([*INDEXES, PGVECTOR, MILVUS])
        raise InvalidSettings(f"There is no index {name!r}. Set FACE_GALLERY__INDEX to one of {names}.")
    factory: CreateIndex = resolve_name(place)
    return factory
