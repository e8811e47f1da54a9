"""A gallery whose index has segments and a snapshot already with a few hundred faces."""

from functools import partial

import pytest

from service.gallery import opening
from service.gallery.indexes.segments.segmented import SegmentedIndex
from service.gallery.search.in_memory import collection_index, collection_indexes, search

SMALL_FACES = 50
EXACT_FACES, SEGMENT_FACES = 200, 500


def use_small_segments(patch: pytest.MonkeyPatch) -> None:
    """Let all galleries that are opened from now on have small segments."""
    for module in (collection_index, collection_indexes, search):
        patch.setattr(module, "SMALL_FACES", SMALL_FACES)
    create = partial(SegmentedIndex, exact_faces=EXACT_FACES, segment_faces=SEGMENT_FACES)
    patch.setattr(opening, "index_factory", lambda _name: create)
