"""The default index: exact while a collection is small, compressed and nearly exact when it is large."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import numpy as np

from service.domain.distances import Distances
from service.domain.embedding import Embeddings
from service.gallery.base import FaceNumbers
from service.gallery.indexes.base import Neighbours, ReadVectors, Rewrite, Snapshot, read_blocks, read_nothing
from service.gallery.indexes.flat import FlatIndex, check_vectors
from service.gallery.indexes.segments.segment import Segment
from service.gallery.indexes.segments.several_segments import nearest_of, search_segments

EXACT_FACES = 50_000
"""Up to so many faces, all embeddings are in memory and every search is exact. It then takes 2 ms, and 4 ms in twice as
many faces. A segment of twice as many takes less than 2 ms, and a third of the memory."""
SEGMENT_FACES = 500_000
"""A new segment has at most so many faces. Segments are searched at the same time, so a search of a million faces can
use two cores. And only one segment at a time has a second copy, while it is rewritten."""
NEW_SHARE = 0.4
"""New faces become a segment when they are more than this share of `exact_faces`."""
FEW_SHARE = 0.04
"""When no segment was made for `REST_S`, new faces become a segment as soon as they are more than this share. A search
needs as much time for a new face as for 16 faces in a segment."""
REST_S = 60.0
ERASED_SHARE = 0.1
"""A segment is rewritten when more than this share of its faces was deleted."""
EXACT_AGAIN_SHARE = 0.5
"""The index is exact again when it has at most this share of `exact_faces`."""
MERGED_RATIO = 3
"""A segment is merged with smaller ones that have at least a third as many faces. So there are few segments."""
SHORT_LIST = 32
"""So many faces are compared by their stored embeddings, at least."""
SHORT_LIST_MARGIN = 1.25
"""If a caller asks for many faces, this many times as many are compared."""


class SegmentedIndex:
    """New faces in a flat index, and all others in segments.

    The faces that the segments find are compared again by their embeddings, which are read from the records. So
    distances are exact. A face is missed only if its codes are not among the best: in our measurement, the nearest face
    of a million was missed by less than one probe in a thousand.

    read: reads stored embeddings. exact_faces, segment_faces: see EXACT_FACES and SEGMENT_FACES.
    """

    def __init__(
        self,
        dimension: int,
        read: ReadVectors = read_nothing,
        exact_faces: int = EXACT_FACES,
        segment_faces: int = SEGMENT_FACES,
    ) -> None:
        self._dimension = dimension
        self._read = read
        self._exact_faces = exact_faces
        self._segment_faces = segment_faces
        self._flat = FlatIndex(dimension, read)
        self._segments: tuple[Segment, ...] = ()
        self._removed_meanwhile: list[FaceNumbers] | None = None
        self._switched_at_s = time.monotonic()
        self.is_saved = False

    def __len__(self) -> int:
        return len(self._flat) + sum(self.segment_sizes)

    @property
    def segment_sizes(self) -> list[int]:
        """How many faces each segment has. Empty if the index is exact."""
        return [len(segment) for segment in self._segments]

    @property
    def numbers(self) -> FaceNumbers:
        return np.concatenate([self._flat.numbers, *(segment.numbers for segment in self._segments)])

    @property
    def is_exact(self) -> bool:
        return not self._segments

    @property
    def needs_rewrite(self) -> bool:
        return self._is_exact_again or self._to_merge() is not None

    def fill(self, numbers: FaceNumbers) -> None:
        """Add stored faces to an empty index, which reads their embeddings. Raises StorageUnavailable."""
        if len(numbers) <= self._exact_faces:
            self._flat.fill(numbers)
            return
        parts = np.array_split(numbers, -(-len(numbers) // self._segment_faces))
        self._segments = tuple(Segment.build(self._dimension, part, self._read) for part in parts)

    def load(self, snapshot: Snapshot, numbers: FaceNumbers) -> bool:
        """Fill an empty index from its snapshot, as `fill` does. Return whether that was possible.

        Faces that the records hold no more are erased. Those that the snapshot does not have are read from the records.
        """
        segments = snapshot.read() if len(numbers) > self._exact_faces else ()
        if self._load(segments, numbers):
            return True
        with suppress(OSError):
            snapshot.remove()  # it cannot be used now, and must not be used later
        return False

    def _load(self, segments: Sequence[Segment], numbers: FaceNumbers) -> bool:
        if not segments or any(segment.dimension != self._dimension for segment in segments):
            return False
        saved = np.concatenate([segment.numbers for segment in segments])
        missing = np.setdiff1d(numbers, saved, assume_unique=True)
        # Too many are missing, or the database was replaced by an older one, and numbers may be of other faces now.
        if len(missing) > self._exact_faces or saved.max() > numbers[-1]:
            return False
        deleted = np.setdiff1d(saved, numbers, assume_unique=True)
        for segment in segments:
            segment.erase(deleted)
        self._segments = tuple(segments)
        self._flat.fill(missing)
        self.is_saved = not len(deleted)
        return True

    def save(self, snapshot: Snapshot) -> None:
        """Write the segments, or remove the snapshot if there are none. If it is up to date, do nothing.

        Raises OSError.
        """
        if self.is_saved:
            return
        self.is_saved = True  # before it is written: what is erased meanwhile may be in it
        try:
            if self._segments:
                snapshot.write(self._segments)
            else:
                snapshot.remove()
        except BaseException:
            self.is_saved = False
            raise

    def add(self, numbers: FaceNumbers, embeddings: Embeddings) -> None:
        """Add faces. numbers: (n,) int64. embeddings: (n, d) float32, unit length.

        Raises ValueError, and adds nothing, if a number occurs twice or the shapes do not fit.
        """
        if any(segment.holds(numbers).any() for segment in self._segments):
            raise ValueError("a number is in the index already")
        self._flat.add(numbers, embeddings)

    def remove(self, numbers: FaceNumbers) -> int:
        """Remove faces and return how many were removed. Unknown numbers are ignored."""
        if self._removed_meanwhile is not None:
            self._removed_meanwhile.append(numbers)
        erased = sum(segment.erase(numbers) for segment in self._segments)
        self.is_saved = self.is_saved and not erased
        return erased + self._flat.remove(numbers)

    def search(self, probes: Embeddings, k: int) -> Neighbours:
        """Find the k nearest faces of each probe. probes: (n, d) float32. Reads stored embeddings.

        Raises ValueError if the shape does not fit, or StorageUnavailable.
        """
        vectors = check_vectors(probes, self._dimension)
        segments = [segment for segment in self._segments if len(segment)]
        if not segments:
            return self._flat.search(vectors, k)
        count = max(SHORT_LIST, int(SHORT_LIST_MARGIN * k))
        short_list = self._compare_exactly(vectors, search_segments(segments, vectors, count))
        return nearest_of([self._flat.search(vectors, k), short_list], min(k, len(self)))

    def distances(self, probes: Embeddings) -> tuple[FaceNumbers, Distances] | None:
        """Return the numbers (m,) of all faces, and the distance of each probe to each, (n, m) float32.

        None if there are segments.
        """
        return None if self._segments else self._flat.distances(probes)

    def begin_rewrite(self) -> Rewrite:
        """Return the rewrite that `needs_rewrite` is about. One rewrite at a time."""
        self._removed_meanwhile = []
        if self._is_exact_again:
            return partial(self._read_all, np.concatenate([segment.numbers for segment in self._segments]))
        merged = self._to_merge() or ()
        numbers = np.concatenate([self._flat.numbers, *(segment.numbers for segment in merged)])
        return partial(self._merge, numbers, merged)

    @property
    def _is_exact_again(self) -> bool:
        return bool(self._segments) and len(self) <= EXACT_AGAIN_SHARE * self._exact_faces

    @property
    def _most_new_faces(self) -> float:
        """How many faces may be in the flat index."""
        if not self._segments:
            return self._exact_faces
        has_rested = time.monotonic() - self._switched_at_s >= REST_S
        return (FEW_SHARE if has_rested else NEW_SHARE) * self._exact_faces

    def _to_merge(self) -> Sequence[Segment] | None:
        """Return the segments that become one with the new faces. None if everything can stay as it is."""
        if len(self._flat) <= self._most_new_faces:
            return [segment for segment in self._segments if segment.erased_share > ERASED_SHARE][:1] or None
        merged, faces = [], len(self._flat)
        for segment in sorted(self._segments, key=len):
            if len(segment) > MERGED_RATIO * faces or faces + len(segment) > self._segment_faces:
                break
            merged.append(segment)
            faces += len(segment)
        return merged

    def _merge(self, numbers: FaceNumbers, merged: Sequence[Segment]) -> Callable[[], None]:
        return partial(self._switch_to, Segment.build(self._dimension, np.sort(numbers), self._read), merged)

    def _switch_to(self, new: Segment, merged: Sequence[Segment]) -> None:
        """Search the new segment instead of what it was made of. What was removed meanwhile is removed from it too."""
        removed, numbers = self._removed(), self._flat.numbers
        self._flat.remove(numbers[new.holds(numbers) & ~np.isin(numbers, removed)])  # it can have been added again
        new.erase(removed)
        self._segments = (*(segment for segment in self._segments if segment not in merged), new)
        self._switched_at_s = time.monotonic()
        self._removed_meanwhile = None
        self.is_saved = False

    def _read_all(self, numbers: FaceNumbers) -> Callable[[], None]:
        return partial(self._switch_to_exact, list(read_blocks(self._read, np.sort(numbers))))

    def _switch_to_exact(self, blocks: Sequence[tuple[FaceNumbers, Embeddings]]) -> None:
        for numbers, embeddings in blocks:
            stays = ~np.isin(numbers, self._removed())
            self._flat.add(numbers[stays], embeddings[stays])
        self._segments = ()
        self._removed_meanwhile = None
        self.is_saved = False

    def _removed(self) -> FaceNumbers:
        """Return what was removed since the rewrite began."""
        return np.unique(np.concatenate([np.empty(0, np.int64), *(self._removed_meanwhile or ())]))

    def _compare_exactly(self, probes: Embeddings, found: Neighbours) -> Neighbours:
        """Return the faces with the distances to their stored embeddings.

        A face that is not stored any more keeps its distance by its codes. It is about to be removed here too.
        """
        stored, embeddings = self._read(np.unique(found.numbers))
        if not len(stored):
            return found
        rows = np.minimum(np.searchsorted(stored, found.numbers), len(stored) - 1)
        difference = embeddings[rows] - probes[:, np.newaxis]
        exact = np.einsum("nkd,nkd->nk", difference, difference)
        return Neighbours(found.numbers, np.where(stored[rows] == found.numbers, exact, found.distances))
