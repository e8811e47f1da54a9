"""Draw the faces of a batch for triplets (FaceNet, section 3.2).

Triplets are chosen within a batch. So a batch needs many faces of each of its people: in the paper, about 40 faces of a
person in a batch of 1,800. It also needs faces of other people, drawn at random, as negatives. MPerClassSampler of
pytorch-metric-learning repeats faces if a person has few. Here no face is twice in a batch, because a network learns
nothing from the distance of a face to itself.

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
    """The composition of a batch for triplets.

    faces_per_person: how many faces of one person a batch has at most.
    negative_share: the share of random negatives in a batch, in [0, 1). The other faces belong to drawn people, up to
    `faces_per_person` of each.
    people_per_group: how many people of a source are drawn together at most. With 15, a batch of the paper's size has
    three or four sources.
    """

    faces_per_person: int = 40
    negative_share: float = 0.2
    people_per_group: int = 15


@dataclass(frozen=True, slots=True, eq=False)
class TripletBatches:
    """Draws batches for triplets. A batch depends only on the state of the generator.

    people, sources: (n,) int64, the person and the source of each face. Some numbers may have no face.
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
                f"{faces_per_person} faces of each of two people. Use a larger batch_size, or a smaller "
                "faces_per_person."
            )
        sizes = np.minimum(np.bincount(self.people), faces_per_person)
        if sizes.sum() < self.batch_size:
            raise TrainingError(
                f"A batch needs {self.batch_size} faces, and the {np.count_nonzero(sizes)} people of this data set "
                f"give {sizes.sum()}, at most {faces_per_person} each. Add people or photographs, or use a smaller "
                "batch_size."
            )
        if sizes.max() < 2:
            raise TrainingError(
                f"A batch has one face of each person, out of {np.count_nonzero(sizes)} people, so it has no "
                "anchor-positive pair. Add photographs of the same people, or use a faces_per_person of two or more."
            )

    @property
    def _max_faces_of_drawn_people(self) -> int:
        return self.batch_size - math.ceil(self.settings.negative_share * self.batch_size)

    def draw(self, rng: np.random.Generator) -> Rows:
        """Return the rows of a batch, (batch_size,) int64, in random order. No row is in it twice.

        Every person with two or more faces has the same probability, no matter how many faces the person has.
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
        # `order` is sorted by person, and random within a person. A person starts at the sum of the sizes of all
        # earlier people.
        order = np.lexsort((rng.random(len(self.people)), self.people))
        sizes = np.bincount(self.people)
        starts = np.cumsum(sizes) - sizes
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(len(order)) - np.repeat(starts, sizes)
        return ranks

    def _draw_people(self, ranks: Labels, rng: np.random.Generator) -> Labels:
        """Draw as many people as the batch can hold with all their allowed faces. Returns their numbers."""
        sizes = np.bincount(self.people)
        # A person may have faces of several sources. Here the person has the source of the face with rank 0.
        source_of_person = np.empty(len(sizes), np.int64)
        source_of_person[self.people[ranks == 0]] = self.sources[ranks == 0]
        candidates = np.flatnonzero(sizes > 1)
        order = candidates[_order_in_groups(source_of_person[candidates], self.settings.people_per_group, rng)]
        filled = np.cumsum(np.minimum(sizes[order], self.settings.faces_per_person))
        return order[: np.searchsorted(filled, self._max_faces_of_drawn_people, side="right")]

    def _draw_negatives(self, others: Rows, drawn: Rows, rng: np.random.Generator) -> Rows:
        """Draw from `others` the faces that fill the batch.

        A source is drawn in proportion to its faces in `drawn`. The people of a source have the same probability.

        drawn: the faces that the batch already has.
        """
        sources, people = self.sources[others], self.people[others]
        # Each source counts as if it had one more face in the batch. So a source without a face in the batch also has a
        # weight above 0. Then the batch can be filled even if the other sources have too few faces.
        faces_in_batch = 1 + np.bincount(self.sources[drawn], minlength=self.sources.max() + 1)
        # 1 / (faces of the person) gives all people the same weight. The division by its sum over a source gives all
        # sources the same weight. The product with the faces in the batch makes the sources proportional to these.
        person_weights = 1.0 / np.bincount(people)[people]
        weights = person_weights * faces_in_batch[sources] / np.bincount(sources, person_weights)[sources]
        # A weighted draw without replacement by one sort (Efraimidis and Spirakis, 2006): each row gets an exponential
        # random number, divided by its weight. The rows with the smallest numbers are drawn.
        keys = rng.exponential(size=len(others)) / weights
        return others[np.argsort(keys)[: self.batch_size - len(drawn)]]


def _order_in_groups(source_of_person: Labels, people_per_group: int, rng: np.random.Generator) -> Rows:
    """Return a random order of people, in groups of at most `people_per_group` people of one source.

    source_of_person: (p,) int64.
    Returns (p,) int64, rows of `source_of_person`.
    """
    groups: list[Rows] = []
    for source in np.unique(source_of_person):
        members = rng.permutation(np.flatnonzero(source_of_person == source))
        # The sizes of the groups of a source differ by at most one. With very different sizes, some people would be
        # drawn more often than others.
        groups += np.array_split(members, math.ceil(len(members) / people_per_group))
    return np.concatenate([groups[row] for row in rng.permutation(len(groups))])
