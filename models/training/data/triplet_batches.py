"""Draw the faces of a batch for triplets (FaceNet, section 3.2).

Triplets are chosen within a batch. So a batch needs many faces of each of its people (in the paper about 40, of 1,800
faces), and faces of other people, drawn at random, as negatives. MPerClassSampler of pytorch-metric-learning repeats
the faces of people who have few. Here no face is twice in a batch, because a network learns nothing from the distance
of a face to itself.

A source is a data set with its own size and crop of faces. If a network always compared people of different sources, it
would learn to separate the sources. So people are drawn in groups of the same source. The random negatives come from
each source in proportion to its faces in the batch.
"""

import math
from dataclasses import dataclass

import numpy as np

from models.errors import TrainingError
from models.training.data.canvases import Labels, Rows


@dataclass(frozen=True, slots=True)
class TripletBatchSettings:
    """What a batch for triplets consists of.

    faces_per_person: how many faces of one person a batch has at most.
    negative_share: the share of random negatives in a batch, in [0, 1). The other faces are of drawn people, as many of
    each person as `faces_per_person` allows.
    people_per_group: how many people of a source are drawn together at most. With 15, a batch of the paper's size has
    three or four sources.
    """

    faces_per_person: int = 40
    negative_share: float = 0.2
    people_per_group: int = 15


@dataclass(frozen=True, slots=True, eq=False)
class TripletBatches:
    """Draws batches for triplets. A batch depends on the state of the generator only.

    people, sources: (n,) int64, the person and the source of each face. There may be numbers without a face.
    Raises TrainingError if the faces cannot fill a batch, or if nobody has two faces.
    """

    people: Labels
    sources: Labels
    batch_size: int
    settings: TripletBatchSettings

    def __post_init__(self) -> None:
        faces_per_person, negative_share = self.settings.faces_per_person, self.settings.negative_share
        if self._max_faces_of_drawn_people < 2 * faces_per_person:
            raise TrainingError(
                f"A batch of {self.batch_size} faces, {negative_share:.0%} of them random negatives, has no room for "
                f"{faces_per_person} faces of each of two people. Make it larger, or take fewer faces a person."
            )
        sizes = np.minimum(np.bincount(self.people), faces_per_person)
        if sizes.sum() < self.batch_size:
            raise TrainingError(
                f"A batch needs {self.batch_size} faces, and the {np.count_nonzero(sizes)} people of this data set "
                f"give {sizes.sum()}, at most {faces_per_person} each. Add people or photographs, or make the batch "
                "smaller."
            )
        if sizes.max() < 2:
            raise TrainingError(
                f"A batch has one face of each person, out of {np.count_nonzero(sizes)} people, so it has no positive "
                "pair. Add photographs of the same people, or take two or more faces a person."
            )

    @property
    def _max_faces_of_drawn_people(self) -> int:
        return self.batch_size - math.ceil(self.settings.negative_share * self.batch_size)

    def draw(self, rng: np.random.Generator) -> Rows:
        """Return the rows of a batch, (batch_size,) int64, in random order. No row is in it twice.

        Every person with two faces or more is equally probable, no matter how many faces they have.
        """
        ranks = self._rank_faces(rng)
        allowed = ranks < self.settings.faces_per_person
        drawn = np.flatnonzero(np.isin(self.people, self._draw_people(ranks, rng)) & allowed)
        others = np.flatnonzero(allowed & ~np.isin(self.people, self.people[drawn]))
        negatives = self._draw_negatives(others, drawn, rng)
        # The order is random because a network with batch normalisation may embed the batch in chunks. The statistics
        # of a chunk should be those of the whole batch.
        return rng.permutation(np.concatenate([drawn, negatives]))

    def _rank_faces(self, rng: np.random.Generator) -> Labels:
        """Assign the numbers 0, 1, ... to the faces of each person, in random order. Returns (n,) int64.

        So the faces with numbers below k are k random faces of each person.
        """
        # Sorted by person, and in random order within a person. Each person starts at the sum of the sizes before.
        order = np.lexsort((rng.random(len(self.people)), self.people))
        sizes = np.bincount(self.people)
        starts = np.cumsum(sizes) - sizes
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(len(order)) - np.repeat(starts, sizes)
        return ranks

    def _draw_people(self, ranks: Labels, rng: np.random.Generator) -> Labels:
        """Draw as many people as the batch can hold with all their allowed faces. Returns their numbers."""
        sizes = np.bincount(self.people)
        # A person may have faces of several sources. The source of the face with rank 0 stands for the person here.
        source_of_person = np.empty(len(sizes), np.int64)
        source_of_person[self.people[ranks == 0]] = self.sources[ranks == 0]
        candidates = np.flatnonzero(sizes > 1)
        order = candidates[_order_in_groups(source_of_person[candidates], self.settings.people_per_group, rng)]
        filled = np.cumsum(np.minimum(sizes[order], self.settings.faces_per_person))
        return order[: np.searchsorted(filled, self._max_faces_of_drawn_people, side="right")]

    def _draw_negatives(self, others: Rows, drawn: Rows, rng: np.random.Generator) -> Rows:
        """Draw the faces that fill the batch, from `others`. drawn: the faces that the batch already has.

        The sources are drawn in proportion to their faces in `drawn`, and the people of a source equally.
        """
        sources, people = self.sources[others], self.people[others]
        # Each source counts as if it had a face more in the batch. So a source without a face in it has a weight above
        # 0 too, and the batch can be filled if the other sources have too few faces.
        faces_in_batch = 1 + np.bincount(self.sources[drawn], minlength=self.sources.max() + 1)
        # 1 / (faces of the person) makes the people equal. Divided by its sum over a source, it makes the sources
        # equal. Multiplied by the faces in the batch, it makes the sources proportional to them.
        person_weights = 1.0 / np.bincount(people)[people]
        weights = person_weights * faces_in_batch[sources] / np.bincount(sources, person_weights)[sources]
        # A weighted draw without replacement, in one sort: each row gets an exponential random number divided by its
        # weight, and the rows with the smallest numbers are drawn (Efraimidis and Spirakis, 2006).
        keys = rng.exponential(size=len(others)) / weights
        return others[np.argsort(keys)[: self.batch_size - len(drawn)]]


def _order_in_groups(source_of_person: Labels, people_per_group: int, rng: np.random.Generator) -> Rows:
    """Return a random order of people, in which up to `people_per_group` people of one source follow each other.

    source_of_person: (p,) int64.
    Returns (p,) int64, rows of `source_of_person`.
    """
    groups: list[Rows] = []
    for source in np.unique(source_of_person):
        members = rng.permutation(np.flatnonzero(source_of_person == source))
        # The groups of a source differ by at most one person. Groups of different sizes would make some people more
        # probable than others.
        groups += np.array_split(members, math.ceil(len(members) / people_per_group))
    return np.concatenate([groups[row] for row in rng.permutation(len(groups))])
