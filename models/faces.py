"""Faces to train on: canvases, whose they are and where each came from, as arrays that travel together."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import DatasetError
from models.preparation.shards import CANVAS, Description, Flag, Sample, Shard, read_pixels, read_set, read_shard
from service.card import BoxCrop, FivePoint
from service.domain import Crops, Pixels

Numbers = NDArray[np.int64]
"""(n,) int64: of people, of sources or of rows."""

SHUFFLED = 8192
"""Faces in memory of which `stream` draws the next: people stand together in a shard, so about eight shards' worth."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceSet:
    """Faces in memory, row by row.

    canvases: (n, h, w, 3) uint8 RGB. people, sources: (n,) int64, places in `names` and `source_names`. A source is
    where a photograph was collected: its sizes and crops differ from another's, so a network can learn it instead of
    the person. alignment: what a canvas shows, in the card's words.
    """

    canvases: Crops
    people: Numbers
    sources: Numbers
    names: tuple[str, ...]
    source_names: tuple[str, ...]
    alignment: FivePoint | BoxCrop = CANVAS

    def __post_init__(self) -> None:
        expected = (len(self.people), self.alignment.height, self.alignment.width, 3)
        if self.canvases.shape != expected or self.canvases.dtype != np.uint8:
            raise ValueError(f"canvases are {expected} uint8, not {self.canvases.shape} {self.canvases.dtype}")
        _check_numbers("people", self.people, len(self.people), len(self.names))
        _check_numbers("sources", self.sources, len(self.people), len(self.source_names))

    def __len__(self) -> int:
        return len(self.people)

    @property
    def present(self) -> list[str]:
        """The names of those who have a face here."""
        return [self.names[number] for number in np.unique(self.people)]

    def of(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "FaceSet":
        """A copy of these rows, (m,) int64 or (n,) bool, under the same numbers and names."""
        return replace(self, canvases=self.canvases[rows], people=self.people[rows], sources=self.sources[rows])

    def split(self, share: float, seed: int) -> tuple["FaceSet", "FaceSet"]:
        """Training and held-out faces of different people: `share` of the people, drawn by `seed`, is held out.

        Whom it draws depends on the names alone, and not on which of their faces were left out; with one name more it
        draws others. Raises DatasetError where nobody would be left on either side.
        """
        count = round(share * len(self.names))
        drawn = np.random.default_rng(seed).permutation(len(self.names))[:count]
        training, held_out = self.apart(drawn)
        if not len(training) or not len(held_out):
            raise DatasetError(
                f"{share:g} of {len(self.names)} people are to be held out, and that leaves nobody on one side. "
                "Prepare the photographs of more people."
            )
        return training, held_out

    def named(self, names: Collection[str]) -> tuple["FaceSet", "FaceSet"]:
        """Everybody else's faces, and those of these people.

        Raises DatasetError where one of them has no face here, or nobody else has one.
        """
        training, theirs = self.apart(np.flatnonzero(np.isin(self.names, list(names))))
        absent = len(set(names)) - len(theirs.present)
        if absent or not names or not len(training):
            raise DatasetError(
                f"{absent} of the {len(names)} people who were named have no face in the set, and "
                f"{len(training.present)} others have one. Give the set and the names of one run."
            )
        return training, theirs

    def apart(self, people: Numbers) -> tuple["FaceSet", "FaceSet"]:
        """Everybody else's faces, and those of these people, (m,) int64.

        Both are copies, so whoever lets go of the whole set needs no more memory than before.
        """
        theirs = np.isin(self.people, people)
        return self.of(~theirs), self.of(theirs)

    def some_people(self, count: int, seed: int) -> "FaceSet":
        """The faces of `count` of those who are here, drawn by `seed`; fewer people are some of the more.

        Raises DatasetError where there are not so many.
        """
        present = np.unique(self.people)
        if count > len(present):
            raise DatasetError(
                f"{count} people were asked for and {len(present)} are there. Prepare more, or ask for less."
            )
        drawn = np.random.default_rng(seed).permutation(present)[:count]
        return self.of(np.isin(self.people, drawn))


def _check_numbers(what: str, numbers: Numbers, length: int, names: int) -> None:
    if numbers.shape != (length,) or numbers.dtype != np.int64:
        raise ValueError(f"{what} are ({length},) int64, not {numbers.shape} {numbers.dtype}")
    if length and not 0 <= numbers.min() <= numbers.max() < names:
        raise ValueError(f"{what} are numbers below {names}, not {numbers.min()} to {numbers.max()}")


def load(folder: Path, done: Callable[[], object], leave_out: Collection[Flag] = ()) -> FaceSet:
    """The set that `facenet-models prepare` wrote, whole in memory. `done` is called after each of its shards.

    leave_out: flags whose faces are not wanted; `names` stay the set's, so a person may be left without a face. Every
    canvas is decoded once, into its place. Raises DatasetError for a set that is not complete, or a damaged shard.
    """
    described = read_set(folder)
    counts = [shard.faces - len(shard.left_out(leave_out)) for shard in described.shards]
    faces = _empty(described, sum(counts))

    def fill(shard: Shard, start: int) -> None:
        for row, sample in enumerate(_wanted(folder, shard, leave_out), start):
            faces.canvases[row], faces.people[row], faces.sources[row] = _numbered(described, sample)

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(fill, described.shards, accumulate([0, *counts[:-1]])):
            done()
    return faces


def _empty(described: Description, count: int) -> FaceSet:
    """A set to be filled. Memory that is not touched yet costs nothing."""
    alignment = described.settings.alignment
    return FaceSet(
        canvases=np.empty((count, alignment.height, alignment.width, 3), np.uint8),
        people=np.zeros(count, np.int64),
        sources=np.zeros(count, np.int64),
        names=described.people,
        source_names=described.sources,
        alignment=alignment,
    )


def stream(folder: Path, seed: int, leave_out: Collection[Flag] = ()) -> Iterator[tuple[Pixels, int, int]]:
    """Once through a set that is larger than memory: (canvas, person, source), numbered as in `load`.

    The shards come in an order drawn by `seed`, and each face is drawn from `SHUFFLED` that wait, still encoded. One
    thread decodes about 4,000 canvases a second, as many as `load` does on each core. Raises DatasetError for a set
    that is not complete, or a damaged shard.
    """
    from webdataset import DataPipeline, detshuffle, filters  # noqa: PLC0415  # torch

    described = read_set(folder)
    order = np.random.default_rng(seed).permutation(len(described.shards))
    samples = chain.from_iterable(_wanted(folder, described.shards[number], leave_out) for number in order)
    shuffled = detshuffle(SHUFFLED, initial=SHUFFLED, seed=seed)
    yield from DataPipeline(lambda: samples, shuffled, filters.map(partial(_numbered, described)))


def _wanted(folder: Path, shard: Shard, leave_out: Collection[Flag]) -> Iterator[Sample]:
    left_out = shard.left_out(leave_out)
    return (sample for sample in read_shard(folder, shard) if sample.key not in left_out)


def _numbered(described: Description, sample: Sample) -> tuple[Pixels, int, int]:
    """A name's number is its place among the sorted names."""
    person = bisect_left(described.people, sample.origin.person)
    return read_pixels(sample.image.data), person, bisect_left(described.sources, sample.origin.source)
