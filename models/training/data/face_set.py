"""The faces of the training in memory: canvases, with the person and the source of each."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import DatasetError
from models.preparation.shards import (
    CANVAS_ALIGNMENT,
    FaceSetDescription,
    Flag,
    Shard,
    ShardSample,
    read_pixels,
    read_set,
    read_shard,
)
from models.training.data.canvases import Labels, Rows
from models.training.random_streams import Purpose, random_stream
from service.domain.face import Crops
from service.model_files.card import BoxAlignment, FivePointAlignment


@dataclass(frozen=True, slots=True, eq=False)
class FaceSet:
    """Faces in memory, row by row.

    A source is a data set that photographs were collected from. Sources differ in the size and the crop of their
    photographs. So a network can learn the source instead of the person.

    canvases: (n, h, w, 3) uint8 RGB.
    people: (n,) int64, the person of each face: a position in `names`.
    sources: (n,) int64, the source of each face: a position in `source_names`.
    names, source_names: of the whole prepared set. Some of them may have no face here.
    alignment: of the canvases.
    """

    canvases: Crops
    people: Labels
    sources: Labels
    names: tuple[str, ...]
    source_names: tuple[str, ...]
    alignment: FivePointAlignment | BoxAlignment = CANVAS_ALIGNMENT

    def __post_init__(self) -> None:
        expected = (len(self.people), self.alignment.height, self.alignment.width, 3)
        if self.canvases.shape != expected or self.canvases.dtype != np.uint8:
            raise ValueError(f"canvases are {expected} uint8, not {self.canvases.shape} {self.canvases.dtype}")
        _check_labels("people", self.people, len(self.people), len(self.names))
        _check_labels("sources", self.sources, len(self.people), len(self.source_names))

    def __len__(self) -> int:
        return len(self.people)

    @property
    def names_with_faces(self) -> list[str]:
        """The names of the people who have a face here, in the order of `names`."""
        return [self.names[person] for person in np.unique(self.people)]

    def select_rows(self, rows: Rows | NDArray[np.bool_]) -> "FaceSet":
        """Return a copy of these rows, with the same names. rows: (m,) int64, or (n,) bool."""
        return replace(self, canvases=self.canvases[rows], people=self.people[rows], sources=self.sources[rows])

    def split_people(self, share: float, seed: int) -> tuple["FaceSet", "FaceSet"]:
        """Return the faces to train on, and the faces of the held-out people.

        The draw depends only on `seed` and on the number of `names`. So it is the same if some faces are left out. If
        `names` gets one more name, other people are drawn.

        share: the share of the people that is held out.
        seed: of the recipe.
        Raises DatasetError if one of the two sets would be empty.
        """
        count = round(share * len(self.names))
        # This draw uses the seed alone, without a purpose (`random_streams.py`): it must stay as it was, because the
        # cards of published models are measured on the people that it held out.
        drawn = np.random.default_rng(seed).permutation(len(self.names))[:count]
        training, held_out = self.split_off(drawn)
        if not len(training) or not len(held_out):
            raise DatasetError(
                f"A share of {share:g} of {len(self.names)} people cannot be held out: {len(training)} faces would be "
                f"left to train on, and {len(held_out)} to evaluate on. Prepare the photographs of more people."
            )
        return training, held_out

    def split_named(self, names: Collection[str]) -> tuple["FaceSet", "FaceSet"]:
        """Return the faces of all other people, and the faces of the named people.

        Raises DatasetError if a named person has no face here, or if nobody else has a face.
        """
        others, named = self.split_off(np.flatnonzero(np.isin(self.names, list(names))))
        absent = len(set(names)) - len(named.names_with_faces)
        if absent or not names or not len(others):
            raise DatasetError(
                f"{absent} of the {len(names)} named people have no face in the set. {len(others.names_with_faces)} "
                "other people have a face. Give the set and the names of the same run."
            )
        return others, named

    def split_off(self, people: Labels) -> tuple["FaceSet", "FaceSet"]:
        """Return the faces of all other people, and the faces of these people.

        The two sets are copies. So the memory of the whole set can be freed.

        people: (m,) int64, positions in `names`.
        """
        selected = np.isin(self.people, people)
        return self.select_rows(~selected), self.select_rows(selected)

    def draw_people(self, count: int, seed: int) -> "FaceSet":
        """Return the faces of `count` people. Raises DatasetError if there are fewer.

        With the same seed, a smaller count draws some of the people of a larger count.
        """
        people = np.unique(self.people)
        if count > len(people):
            raise DatasetError(
                f"{count} people are needed, and {len(people)} have faces. Prepare the photographs of more people, or "
                "use a recipe with fewer training_people."
            )
        drawn = random_stream(seed, Purpose.TRAINING_PEOPLE).permutation(people)[:count]
        return self.select_rows(np.isin(self.people, drawn))


def _check_labels(field: str, labels: Labels, length: int, names: int) -> None:
    if labels.shape != (length,) or labels.dtype != np.int64:
        raise ValueError(f"{field} are ({length},) int64, not {labels.shape} {labels.dtype}")
    if length and not 0 <= labels.min() <= labels.max() < names:
        raise ValueError(f"{field} are numbers from 0 to {names - 1}, not {labels.min()} to {labels.max()}")


def load_face_set(folder: Path, done: Callable[[], object], leave_out: Collection[Flag] = ()) -> FaceSet:
    """Return the faces that `facenet-models prepare` wrote.

    done: called after each shard.
    leave_out: faces with one of these flags are left out. The names stay those of the whole set.
    Raises DatasetError if the set is not complete, or if a shard is damaged.
    """
    description = read_set(folder)
    counts = [shard.faces - len(shard.flagged_keys(leave_out)) for shard in description.shards]
    faces = _allocate(description, sum(counts))

    def fill(shard: Shard, start: int) -> None:
        for row, sample in enumerate(_read_samples(folder, shard, leave_out), start):
            faces.canvases[row] = read_pixels(sample.image.data)
            # The names of a set are in ascending order, so a binary search finds their numbers.
            faces.people[row] = bisect_left(description.people, sample.origin.person)
            faces.sources[row] = bisect_left(description.sources, sample.origin.source)

    # Each thread decodes the canvases of a shard directly into the rows of the arrays. So no face is in memory twice.
    # The decoder of OpenCV releases the interpreter lock.
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(fill, description.shards, accumulate([0, *counts[:-1]])):
            done()
    return faces


def _allocate(description: FaceSetDescription, count: int) -> FaceSet:
    alignment = description.settings.alignment
    return FaceSet(
        canvases=np.empty((count, alignment.height, alignment.width, 3), np.uint8),
        people=np.zeros(count, np.int64),
        sources=np.zeros(count, np.int64),
        names=description.people,
        source_names=description.sources,
        alignment=alignment,
    )


def _read_samples(folder: Path, shard: Shard, leave_out: Collection[Flag]) -> Iterator[ShardSample]:
    flagged = shard.flagged_keys(leave_out)
    return (sample for sample in read_shard(folder, shard) if sample.key not in flagged)
