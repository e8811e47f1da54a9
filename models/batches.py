"""Which faces share a batch: FaceNet, section 3.2.

Triplets are chosen inside a batch, so it needs many faces of each of its people (the paper: about 40, of 1,800 in all),
and faces of others besides, drawn at random, as negatives. pytorch-metric-learning's MPerClassSampler repeats the faces
of people who have few; here no face is twice in a batch, as the distance of a face to itself teaches nothing.

A source is a data set, with its own size and crop of faces. A network that only ever compares people of different
sources learns to tell the sources apart, so people come in groups of one source, and the random negatives come from
each source in proportion to the faces that it already has in the batch.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError

Rows = NDArray[np.int64]

TOGETHER = 15
"""People of one source who are drawn together, at most: three or four sources share a batch of the paper's size."""


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """Batches of a data set. A batch depends on the generator alone, so a resumed run draws what it would have drawn.

    people, sources: (n,) int64, who each face is and where it is from; numbers may be missing. faces: of a batch.
    per_person: at most so many of a batch are of one person. negatives: the share of a batch that is drawn at random,
    in [0, 1); the other faces are of people with as many of their faces as `per_person` allows.

    Raises TrainingError where the data set cannot fill a batch, or no one in it has two faces.
    """

    people: Rows
    sources: Rows
    faces: int = 1800
    per_person: int = 40
    negatives: float = 0.2

    def __post_init__(self) -> None:
        if self._room < 2 * self.per_person:
            raise TrainingError(
                f"A batch of {self.faces} faces, {self.negatives:.0%} of them random negatives, has no room for "
                f"{self.per_person} faces of each of two people. Make it larger, or take fewer faces a person."
            )
        sizes = np.minimum(np.bincount(self.people), self.per_person)
        if sizes.sum() < self.faces:
            raise TrainingError(
                f"A batch needs {self.faces} faces, and the {np.count_nonzero(sizes)} people of this data set give "
                f"{sizes.sum()}, at most {self.per_person} each. Add people or photographs, or make the batch smaller."
            )
        if sizes.max() < 2:
            raise TrainingError(
                f"A batch has one face of each of its people, out of {np.count_nonzero(sizes)}, so there is nothing to "
                "pull together. Add photographs of the same people, or take two or more faces a person."
            )

    @property
    def _room(self) -> int:
        """For faces of the people who are drawn."""
        return self.faces - math.ceil(self.negatives * self.faces)

    def draw(self, rng: np.random.Generator) -> Rows:
        """One batch: (faces,) int64 rows of the data set, each once, in random order.

        The order is random because networks with batch normalisation see a batch in chunks, and a chunk should look
        like the whole. Every person who has two faces is as likely to be drawn as any other, however many they have.
        """
        turns = self._turns(rng)
        allowed = turns < self.per_person
        drawn = np.isin(self.people, self._people(turns, rng)) & allowed
        rest = np.flatnonzero(allowed & ~np.isin(self.people, self.people[drawn]))
        negatives = self._negatives(rest, np.flatnonzero(drawn), rng)
        return rng.permutation(np.concatenate([np.flatnonzero(drawn), negatives]))

    def _turns(self, rng: np.random.Generator) -> Rows:
        """(n,): each person's faces numbered 0, 1, ... in an order of their own."""
        order = np.lexsort((rng.random(len(self.people)), self.people))
        sizes = np.bincount(self.people)
        turns = np.empty(len(order), np.int64)
        turns[order] = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return turns

    def _people(self, turns: Rows, rng: np.random.Generator) -> Rows:
        """As many as there is room for, with all the faces that they may have. A person's source is a random face's."""
        sizes = np.bincount(self.people)
        homes = np.empty(len(sizes), np.int64)
        homes[self.people[turns == 0]] = self.sources[turns == 0]
        several = np.flatnonzero(sizes > 1)
        order = several[_in_groups(homes[several], rng)]
        ends = np.cumsum(np.minimum(sizes[order], self.per_person))
        return order[: np.searchsorted(ends, self._room, side="right")]

    def _negatives(self, rest: Rows, drawn: Rows, rng: np.random.Generator) -> Rows:
        """Faces that fill the batch up, of `rest`: sources in proportion to `drawn`, and in a source people equally.

        A source that is not in the batch counts as if it had one face there, so that the batch is always filled.
        """
        sources, people = self.sources[rest], self.people[rest]
        present = 1 + np.bincount(self.sources[drawn], minlength=self.sources.max() + 1)
        of_person = 1.0 / np.bincount(people)[people]
        weights = of_person * present[sources] / np.bincount(sources, of_person)[sources]
        # Those with the smallest are a weighted draw without replacement (Efraimidis and Spirakis, 2006).
        keys = rng.exponential(size=len(rest)) / weights
        return rest[np.argsort(keys)[: self.faces - len(drawn)]]


def _in_groups(homes: Rows, rng: np.random.Generator) -> Rows:
    """An order of people in which up to TOGETHER of one source follow each other.

    homes: (p,) int64, the source of each. Groups of a source are of one size but for one person, so that none is
    likelier to be drawn than another. Returns (p,) int64 rows of `homes`.
    """
    groups: list[Rows] = []
    for source in np.unique(homes):
        members = rng.permutation(np.flatnonzero(homes == source))
        groups += np.array_split(members, math.ceil(len(members) / TOGETHER))
    return np.concatenate([groups[row] for row in rng.permutation(len(groups))])
