"""Who is enrolled, who is searched, and what a search finds.

The first photograph of each person with two or more is enrolled. Their other photographs are the probes of people who
are enrolled. The people with one photograph are the strangers.

A search is that of the service: the nearest reference is the answer, if its squared L2 distance is below the threshold.

- FNIR: the share of the probes of enrolled people that do not get the right name, because another person is nearer,
  or because no distance is below the threshold.
- FPIR: the share of the strangers who get a name.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import DatasetError
from models.evaluation.data.identities import Identities
from models.evaluation.embedding.files import embed_files
from models.evaluation.metrics.clustering import People
from models.evaluation.metrics.labelled_pairs import LabelledPairs
from service.domain.distances import Distances, squared_l2
from service.domain.embedding import Embeddings
from service.pipeline.opening import PipelineOptions

RESAMPLES = 500
SEED = 20_150_612

Interval = tuple[float, float]
"""A 95 % confidence interval: by bootstrap over people, because the photographs of one person are not independent."""


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """The nearest reference of each probe and of each stranger.

    right: (p,) bool, whether the nearest reference of a probe is of the right person.
    distances: (p,) float32, squared L2, of the nearest reference.
    owners: (p,) int64, the person of each probe.
    strangers: (s,) float32, squared L2, the distance between a stranger and the nearest reference.
    """

    right: NDArray[np.bool_]
    distances: Distances
    owners: People
    strangers: Distances

    @property
    def rank_1(self) -> float:
        """The share of the probes whose nearest reference is of the right person."""
        return float(np.mean(self.right))

    def fpir(self, threshold_sq_l2: float) -> float:
        """Return the share of the strangers who get a name."""
        return float(np.mean(self.strangers < threshold_sq_l2))

    def fnir(self, threshold_sq_l2: float) -> float:
        """Return the share of the probes that do not get the right name."""
        return 1.0 - float(np.mean(self.right & (self.distances < threshold_sq_l2)))

    def measures(self, fpir: float) -> bool:
        """Return whether there are enough strangers: at least one of them may get a name."""
        return fpir * len(self.strangers) >= 1

    def threshold_at_fpir(self, fpir: float) -> float:
        """Return the largest threshold whose FPIR is at most this one."""
        return LabelledPairs(self.strangers, np.zeros(len(self.strangers), bool)).threshold_at_fmr(fpir)

    def fnir_at_fpir(self, fpir: float) -> float:
        """Return the FNIR at `threshold_at_fpir(fpir)`."""
        return self.fnir(self.threshold_at_fpir(fpir))

    def interval(self, measure: Callable[["Searches"], float]) -> Interval:
        """Return the interval of a measured number. People and strangers are drawn with replacement."""
        rng = np.random.default_rng(SEED)
        low, high = np.quantile([measure(self._draw(rng)) for _ in range(RESAMPLES)], (0.025, 0.975))
        return float(low), float(high)

    def without(self, strangers: NDArray[np.bool_]) -> "Searches":
        """Return the searches without these strangers. strangers: (s,) bool."""
        return Searches(self.right, self.distances, self.owners, self.strangers[~strangers])

    def _draw(self, rng: np.random.Generator) -> "Searches":
        people = np.unique(self.owners)
        times = np.bincount(rng.choice(people, len(people)), minlength=int(people[-1]) + 1)
        rows = np.repeat(np.arange(len(self.owners)), times[self.owners])
        strangers = rng.choice(self.strangers, len(self.strangers))
        return Searches(self.right[rows], self.distances[rows], self.owners[rows], strangers)


@dataclass(frozen=True, slots=True, eq=False)
class OpenSet:
    """Embeddings of the people who are enrolled, and of strangers.

    references: (n, d) float32. Row i is the reference of person i.
    probes: (p, d) float32. owners: (p,) int64, the person of each probe.
    strangers: (s, d) float32. aside: (s,) bool, which of them are enrolled under another name.
    """

    references: Embeddings
    probes: Embeddings
    owners: People
    strangers: Embeddings
    aside: NDArray[np.bool_]

    @classmethod
    def of(cls, embeddings: Embeddings, people: People, aside: Collection[int]) -> "OpenSet":
        """Divide the photographs.

        embeddings: (n, d) float32, in the order of the names of the files of each person.
        people: (n,) int64, ascending.
        aside: the numbers of people who are set aside, if they have one photograph.
        Raises DatasetError if nobody has two photographs, or if everybody has.
        """
        numbers, first, counts = np.unique(people, return_index=True, return_counts=True)
        several = counts > 1
        if not several.any() or several.all():
            raise DatasetError(
                "An open set needs people with two photographs, who are enrolled, and people with one, the strangers. "
                f"There are {several.sum():,} and {(~several).sum():,}."
            )
        place = np.cumsum(several) - 1
        probes = several[np.searchsorted(numbers, people)]
        probes[first] = False
        alone = first[~several]
        return cls(
            references=embeddings[first[several]],
            probes=embeddings[probes],
            owners=place[np.searchsorted(numbers, people[probes])],
            strangers=embeddings[alone],
            aside=np.isin(people[alone], [*aside]),
        )

    def search(self, enrolled: NDArray[np.int64]) -> Searches:
        """Search a gallery of these people, and all strangers in it. enrolled: (m,) int64, the numbers of the people.

        It takes 4 bytes of memory for each probe and reference: 50 MB for 7,484 probes and 1,680 references.
        """
        searched = np.isin(self.owners, enrolled)
        distances = squared_l2(self.probes[searched], self.references[enrolled])
        return Searches(
            right=enrolled[distances.argmin(axis=1)] == self.owners[searched],
            distances=distances.min(axis=1),
            owners=self.owners[searched],
            strangers=squared_l2(self.strangers, self.references[enrolled]).min(axis=1),
        )

    def search_everybody(self) -> Searches:
        """Search a gallery of all people with two or more photographs."""
        return self.search(np.arange(len(self.references)))


def embed_open_set(
    options: PipelineOptions, identities: Identities, aside: Collection[str], done: Callable[[], object]
) -> OpenSet:
    """Embed the photographs as the service does. Those without a face are left out.

    aside: the names of people who are set aside.
    done: called after each photograph.
    Raises DatasetError as `OpenSet.of` does, or if a name is not in the folder. It is checked before the first
    photograph is embedded.
    """
    absent = sorted(set(aside) - set(identities.names))
    if absent:
        raise DatasetError(f"{absent[0]} is to be set aside, and has no photograph. Give the list of this folder.")
    numbers = [number for number, name in enumerate(identities.names) if name in aside]
    OpenSet.of(np.zeros((len(identities.files), 1), np.float32), identities.people, numbers)
    embeddings, rows = embed_files(options, identities.files, done)
    return OpenSet.of(embeddings, identities.people[rows], numbers)
