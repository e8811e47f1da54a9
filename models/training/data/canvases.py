"""Canvases by their row. A canvas is an aligned picture of a face with a border. Crops for training are cut from it."""

from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.domain.image import Pixels

Rows: TypeAlias = NDArray[np.int64]
"""(n,) int64: the rows of faces in a set of canvases."""

Labels: TypeAlias = NDArray[np.int64]
"""(n,) int64: a number for each row of a set of canvases, such as the number of its person or of its source."""


class Canvases(Protocol):
    """Canvases of one size. They are in memory, or each is computed when it is read."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int, /) -> Pixels: ...
