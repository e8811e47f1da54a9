"""One person in two folders: the folders whose faces are near each other.

The distances are computed in blocks, and only the nearest pairs of folders are kept. So a threshold at which all faces
match takes no more memory than one at which few do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.commands.photographs.face_finding import FoundFaces
from service.domain.distances import Distances, squared_l2
from service.domain.embedding import Embeddings

BESIDE = "."
"""The folder of photographs that are in no folder of a person."""

MOST_REPORTED = 1_000
"""The most pairs of folders that are reported. Nobody looks at more."""

DISTANCES_AT_ONCE = 1_000_000
"""The most distances that are held. They take 4 MB."""

NEAR_FOLDERS = np.dtype([("first", "i8"), ("second", "i8"), ("distance", "f4"), ("pairs", "i8")])
"""Two folders by their numbers, their least distance, and how many pairs of their faces are near."""


@dataclass(frozen=True, slots=True)
class SamePerson:
    """Two folders with faces of one person.

    nearest: the two photographs whose faces have the least distance. distance: squared L2.
    pairs: how many pairs of their faces are below the threshold.
    """

    folders: tuple[str, str]
    nearest: tuple[Path, Path]
    distance: float
    pairs: int


@dataclass(frozen=True, slots=True)
class SamePeople:
    """Pairs of folders with one person. reported: the nearest, the nearest first. left_out: how many more there are."""

    reported: list[SamePerson]
    left_out: int


@dataclass(frozen=True, slots=True, eq=False)
class _Faces:
    """The faces in folders, one folder after the other.

    folders: the names, sorted. starts: (f + 1,) where the faces of each folder begin, and the end of the last.
    photographs: (n,) the position of the photograph of each face. embeddings: (n, d).
    """

    folders: list[str]
    starts: list[int]
    photographs: NDArray[np.int64]
    embeddings: Embeddings

    @classmethod
    def of(cls, found: FoundFaces, folders: Sequence[str]) -> "_Faces":
        names = [folders[face.photograph] for face in found.faces]
        order = sorted((face for face, name in enumerate(names) if name != BESIDE), key=names.__getitem__)
        starts = [place for place, face in enumerate(order) if place == 0 or names[face] != names[order[place - 1]]]
        return cls(
            [names[order[start]] for start in starts],
            [*starts, len(order)],
            found.photograph_numbers[order],
            found.embeddings[order],
        )

    def slice_of(self, folder: int) -> slice:
        return slice(self.starts[folder], self.starts[folder + 1])


def same_people(found: FoundFaces, folders: Sequence[str], threshold: float, most: int = MOST_REPORTED) -> SamePeople:
    """Return the pairs of folders with faces whose distance is below the threshold.

    folders: of each photograph. most: how many pairs of folders are reported.
    """
    faces = _Faces.of(found, folders)
    total = 0
    kept = np.empty(0, NEAR_FOLDERS)
    for folder in range(len(faces.folders) - 1):
        near = _near_folders(faces, folder, threshold)
        total += len(near)
        kept = np.concatenate((kept, near))
        kept = kept[np.argsort(kept["distance"], kind="stable")[:most]]
    reported = [
        SamePerson(
            (faces.folders[first], faces.folders[second]), _nearest(found, faces, first, second), distance, pairs
        )
        for first, second, distance, pairs in kept.tolist()
    ]
    return SamePeople(reported, total - len(reported))


def _near_folders(faces: _Faces, folder: int, threshold: float) -> NDArray[np.void]:
    """Return the folders after this one that have a face near one of this folder."""
    end = faces.starts[folder + 1]
    offsets = np.array(faces.starts[folder + 1 : -1]) - end
    least = np.full(len(offsets), np.inf, np.float32)
    pairs = np.zeros(len(offsets), np.int64)
    for _, distances in _blocks(faces.embeddings[faces.slice_of(folder)], faces.embeddings[end:]):
        least = np.minimum(least, np.minimum.reduceat(distances.min(axis=0), offsets))
        pairs += np.add.reduceat((distances < threshold).sum(axis=0), offsets)
    numbers = np.arange(folder + 1, len(faces.folders))
    near = np.empty(len(numbers), NEAR_FOLDERS)
    near["first"], near["second"], near["distance"], near["pairs"] = folder, numbers, least, pairs
    return near[pairs > 0]


def _nearest(found: FoundFaces, faces: _Faces, first: int, second: int) -> tuple[Path, Path]:
    """Return the photographs of the nearest faces of two folders."""
    rows, columns = faces.slice_of(first), faces.slice_of(second)
    start, distances = min(
        _blocks(faces.embeddings[rows], faces.embeddings[columns]), key=lambda block: float(block[1].min())
    )
    row, column = np.unravel_index(distances.argmin(), distances.shape)
    photograph_a, photograph_b = faces.photographs[rows][start + row], faces.photographs[columns][column]
    return found.photographs[photograph_a], found.photographs[photograph_b]


def _blocks(rows: Embeddings, columns: Embeddings) -> Iterator[tuple[int, Distances]]:
    """Yield the distances of some rows to all columns, and the number of the first of these rows."""
    step = max(1, DISTANCES_AT_ONCE // len(columns))
    for start in range(0, len(rows), step):
        yield start, squared_l2(rows[start : start + step], columns)
