"""Compressed faces: 4-bit codes that are searched, and 8-bit codes that refine the result."""

from collections.abc import Callable
from typing import Any, Self

import faiss
import numpy as np
import structlog
from numpy.typing import NDArray

from service.domain.embedding import Embeddings
from service.gallery.base import FaceNumbers
from service.gallery.indexes.base import Neighbours, ReadVectors, read_blocks
from service.gallery.indexes.segments.huge_pages import use_huge_pages

LOG = structlog.get_logger(__name__)
TRAINING_FACES = 8_192
"""The codes are made for a random sample. k-means of FAISS uses 4,096 of it, and the ranges of the 8 bits use all."""
TRAINING_ROUNDS = 10
"""Of k-means. With 25, as by default, the codes find no more faces, and it takes more than twice as long."""
FEWEST_TRAINING_FACES = 16
"""A 4-bit code has 16 values, and k-means needs a vector for each."""
RANGE_MARGIN = 0.15
"""The range of an 8-bit code is this much wider on each side than the sample, so that hardly any vector is cut off."""
REFINED_PER_FACE = 2
"""At least so many times as many faces as are asked for are found by their 4-bit codes. The 8-bit codes choose among
them."""
PROGRESS_FACES = 100_000
NUMBER = np.dtype("<i8")
"""How a number is written to a file."""
BYTES_AT_ONCE = 2**23
"""A snapshot is read and written in parts. Each part waits for Python, so they are large."""


class Segment:
    """Faces that are searched by their codes. Faces can only be erased from it.

    Product quantisation with two numbers in a code of 4 bits, and all numbers in 8 bits: (d / 4 + d) bytes a face.
    """

    def __init__(self, index: Any, numbers: FaceNumbers, alive: NDArray[np.bool_]) -> None:  # noqa: ANN401  # FAISS
        """Hold the faces of an index of FAISS. alive: (n,) bool, False for an erased face."""
        self._index = index
        self._codes, self._refinement = _parts(index)
        self._packer = self._codes.get_CodePacker()
        self._all_numbers = numbers
        self._alive = alive
        self._erased = len(alive) - int(np.count_nonzero(alive))
        use_huge_pages(self.code_blocks)
        use_huge_pages(self.refinement_codes)

    @classmethod
    def build(cls, dimension: int, numbers: FaceNumbers, read: ReadVectors) -> Self:
        """Read stored faces and encode them, in blocks. A face that is not stored any more is left out.

        numbers: (n,) int64, ascending. Raises StorageUnavailable, or Abandoned if the work is to end.
        """
        faiss.omp_set_num_threads(1)  # of this thread. With more, searches would be slower meanwhile
        index = _train(dimension, _sample(numbers, read))
        _, refinement = _parts(index)
        refinement.codes.resize(len(numbers) * dimension)  # reserves the memory. Else it is doubled again and again
        refinement.codes.resize(0)
        found = []
        for block, vectors in read_blocks(read, numbers):
            index.add(vectors)
            found.append(block)
            if index.ntotal % PROGRESS_FACES == 0:
                LOG.info("faces_encoded", faces=index.ntotal, of=len(numbers))
        encoded = np.concatenate([numbers[:0], *found])
        return cls(index, encoded, np.ones(len(encoded), np.bool_))

    @classmethod
    def load(cls, read: Callable[[int], bytes], rows: int) -> Self:
        """Read a segment that `save` wrote. read: reads so many bytes. rows: of the segment.

        Raises RuntimeError or ValueError if these are not the bytes of a segment.
        """
        numbers = np.frombuffer(read(rows * NUMBER.itemsize), NUMBER).astype(np.int64)
        alive = np.frombuffer(read(rows), np.bool_).copy()
        index = faiss.read_index(faiss.PyCallbackIOReader(read, BYTES_AT_ONCE))  # type: ignore[attr-defined]  # it has it
        if index.ntotal != rows or len(numbers) != rows or len(alive) != rows:
            raise ValueError("its segments are cut off")
        return cls(index, numbers, alive)

    def save(self, write: Callable[[bytes], object]) -> None:
        """Write the numbers, which rows are not erased, and the codes. Searches and changes go on meanwhile."""
        write(self._all_numbers.astype(NUMBER).tobytes())
        write(self._alive.tobytes())
        faiss.write_index(self._index, faiss.PyCallbackIOWriter(write, BYTES_AT_ONCE))  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return len(self._all_numbers) - self._erased

    @property
    def rows(self) -> int:
        """How many faces it had before any was erased."""
        return len(self._all_numbers)

    @property
    def dimension(self) -> int:
        return int(self._index.d)

    @property
    def numbers(self) -> FaceNumbers:
        """The numbers of its faces, ascending, without those that were erased."""
        return self._all_numbers[self._alive] if self._erased else self._all_numbers

    @property
    def code_blocks(self) -> NDArray[np.uint8]:
        """The 4-bit codes in blocks of 32 faces, (blocks, bytes) uint8, in the memory of FAISS."""
        codes: NDArray[np.uint8] = faiss.rev_swig_ptr(self._codes.codes.get(), self._codes.codes.size())
        return codes.reshape(-1, self._packer.block_size)

    @property
    def refinement_codes(self) -> NDArray[np.uint8]:
        """The 8-bit codes, (n, d) uint8, in the memory of FAISS."""
        codes: NDArray[np.uint8] = faiss.rev_swig_ptr(self._refinement.codes.data(), self._refinement.codes.size())
        return codes.reshape(-1, self._refinement.code_size)

    @property
    def erased_share(self) -> float:
        return self._erased / max(len(self._all_numbers), 1)

    def holds(self, numbers: FaceNumbers) -> NDArray[np.bool_]:
        """Return which of these faces are in the segment, (n,) bool."""
        held: NDArray[np.bool_] = np.isin(numbers, self._all_numbers[self._rows(numbers)])
        return held

    def erase(self, numbers: FaceNumbers) -> int:
        """Erase faces and return how many were erased. Unknown numbers are ignored.

        Their codes are overwritten at once with values that are far from every face. So nothing of a deleted face
        stays, and erased faces take no place among the nearest ones.
        """
        rows = self._rows(numbers)
        self._alive[rows] = False
        self._erased += len(rows)
        self.refinement_codes[rows] = np.iinfo(np.uint8).max
        far, blocks = _far_code(self._codes), self.code_blocks
        for row in rows.tolist():
            block, place = divmod(row, self._packer.nvec)
            self._packer.pack_1(far, place, blocks[block : block + 1])
        return len(rows)

    def search(self, probes: Embeddings, k: int, refined: int) -> Neighbours:
        """Find about the k nearest faces of each probe, with about their distances. k: at most the number of faces.

        More are searched if erased faces are among the nearest.
        refined: how many faces are found by their 4-bit codes, at least. The 8-bit codes then choose among them.
        """
        searched = k
        while True:
            distances, rows = self._search_codes(probes, searched, refined)
            if not self._erased:
                return Neighbours(self._all_numbers[rows], distances)
            alive = self._alive[rows] & (rows >= 0)
            if searched >= len(self._all_numbers) or (np.count_nonzero(alive, axis=1) >= k).all():
                nearest = np.argsort(~alive, axis=1, kind="stable")[:, :k]
                rows = np.take_along_axis(rows, nearest, axis=1)
                return Neighbours(self._all_numbers[rows], np.take_along_axis(distances, nearest, axis=1))
            searched = min(4 * searched, len(self._all_numbers))

    def _search_codes(self, probes: Embeddings, k: int, refined: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        refined = min(max(refined, REFINED_PER_FACE * k), len(self._all_numbers))
        parameters = faiss.IndexRefineSearchParameters(k_factor=refined / k)  # type: ignore[call-arg]  # it has it
        distances, rows = self._index.search(probes, k, params=parameters)
        return distances, rows

    def _rows(self, numbers: FaceNumbers) -> NDArray[np.int64]:
        """Return the rows of those of these faces that are in the segment."""
        rows = np.searchsorted(self._all_numbers, numbers)
        rows = np.unique(rows[rows < len(self._all_numbers)])
        return rows[np.isin(self._all_numbers[rows], numbers) & self._alive[rows]]


def _sample(numbers: FaceNumbers, read: ReadVectors) -> list[Embeddings]:
    """Read random faces to make codes for, in blocks."""
    random = np.random.default_rng(0)  # the same each time, so that a segment can be made again
    drawn = (
        np.sort(random.choice(numbers, min(len(numbers), TRAINING_FACES), replace=False)) if len(numbers) else numbers
    )
    return [vectors for _, vectors in read_blocks(read, drawn)]


def _train(dimension: int, sample: list[Embeddings]) -> Any:  # noqa: ANN401  # FAISS has no types
    """Return an empty index of FAISS whose codes are made for vectors like the sample."""
    sub_quantisers = dimension // 2 if dimension % 2 == 0 else dimension
    index = faiss.index_factory(dimension, f"PQ{sub_quantisers}x4fs,Refine(SQ8)")
    codes, refinement = _parts(index)
    codes.pq.cp.niter = TRAINING_ROUNDS
    codes.pq.cp.min_points_per_centroid = 1  # with fewer than 39, FAISS prints a warning
    refinement.sq.rangestat_arg = RANGE_MARGIN
    if sample:
        vectors = np.concatenate(sample)
        index.train(np.resize(vectors, (max(len(vectors), FEWEST_TRAINING_FACES), dimension)))
    return index


def _parts(index: Any) -> tuple[Any, Any]:  # noqa: ANN401  # FAISS has no types
    """Return the part with the 4-bit codes, and the part with the 8-bit codes."""
    return faiss.downcast_index(index.base_index), faiss.downcast_index(index.refine_index)


def _far_code(index: Any) -> NDArray[np.uint8]:  # noqa: ANN401  # FAISS has no types
    """Return the 4-bit codes of the longest vector that they can describe. A face is a unit vector."""
    quantiser = index.pq
    centroids = faiss.vector_to_array(quantiser.centroids).reshape(quantiser.M, quantiser.ksub, quantiser.dsub)
    longest = np.zeros(2 * index.code_size, np.uint8)
    longest[: quantiser.M] = np.argmax(np.sum(centroids**2, axis=2), axis=1)
    code: NDArray[np.uint8] = longest[0::2] | (longest[1::2] << 4)
    return code
