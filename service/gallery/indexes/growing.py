"""Rows in an array that has room for more."""

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)
FEWEST_ROWS = 16


class GrowingRows(Generic[T]):
    """Rows of one type. The room is doubled when it is full, so to add a row copies little on average.

    width: the shape of one row.
    """

    def __init__(self, dtype: type[T], *width: int) -> None:
        self._room: NDArray[T] = np.zeros((FEWEST_ROWS, *width), dtype)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> NDArray[T]:
        """All rows. They can be changed in place, and are valid until the next change of their number."""
        return self._room[: self._count]

    def append(self, rows: NDArray[T]) -> None:
        """Add rows at the end."""
        end = self._count + len(rows)
        if end > len(self._room):
            self._move(max(end, 2 * len(self._room)))
        self._room[self._count : end] = rows
        self._count = end

    def keep_first(self, count: int) -> None:
        """Remove all rows but the first ones. Their bytes are removed too: they can be of a deleted face."""
        self._room[count : self._count] = 0
        self._count = count
        if 4 * count + FEWEST_ROWS < len(self._room):
            self._move(max(2 * count, FEWEST_ROWS))

    def _move(self, room: int) -> None:
        # Zeros, because memory that was not written yet can hold embeddings that were deleted.
        larger = np.zeros((room, *self._room.shape[1:]), self._room.dtype)
        larger[: self._count] = self.rows
        self._room = larger
