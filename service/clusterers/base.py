"""The seam: what a clusterer is to the decision, and the rules that all of them keep."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.domain import Embeddings
from service.errors import InvalidOption

Labels = NDArray[np.int64]
"""(n,) int64: 0, 1, ... for clusters, in the order of their first faces; -1 for noise, a face that is like no other."""

Photographs = NDArray[np.int64]
"""(n,) int64: which photograph each face is from. Faces that share no photograph have numbers of their own."""

NOISE = -1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Grouping:
    """What is asked of a clusterer.

    threshold_sq_l2: how near faces of one person are. n_clusters: how many people there are, where that is known.
    A method takes the one that it needs and raises InvalidOption for one that it has no use for.
    """

    threshold_sq_l2: float | None = None
    n_clusters: int | None = None


class Clusterer(Protocol):
    """Groups faces by person. The same faces always give the same groups."""

    def cluster(self, embeddings: Embeddings, photographs: Photographs) -> Labels:
        """embeddings: (n, d) float32, unit length; n may be 0.

        Two faces of one photograph never get the same label. Raises InvalidOption where the faces cannot be grouped
        into the number of clusters that was asked for.
        """
        ...


def needed(value: T | None, option: str, method: str) -> T:
    """The option's value. Raises InvalidOption where there is none."""
    if value is None:
        raise InvalidOption(
            f"The method {method} needs {option}, and no value of it is known for this model. Pass one."
        )
    return value


def unused(value: object, option: str, method: str) -> None:
    """Raises InvalidOption where a value was given."""
    if value is not None:
        raise InvalidOption(f"The method {method} has no use for {option}. Leave it out, or choose another method.")


def check_number(n_clusters: int, photographs: Photographs) -> None:
    """Raises InvalidOption where so many faces of so many photographs cannot be so many people."""
    if n_clusters > len(photographs):
        raise InvalidOption(
            f"There are {len(photographs)} faces and {n_clusters} clusters were asked for. Ask for fewer."
        )
    _, faces = np.unique(photographs, return_counts=True)
    if n_clusters < faces.max():
        raise InvalidOption(
            f"One photograph shows {faces.max()} faces, which are as many people, and {n_clusters} clusters were asked "
            "for. Ask for more, or allow faces of one photograph to be together."
        )


def numbered(labels: Labels) -> Labels:
    """The same groups, numbered in the order of their first faces."""
    numbers: dict[int, int] = {NOISE: NOISE}
    return np.array([numbers.setdefault(label, len(numbers) - 1) for label in labels.tolist()], np.int64)


def kept_apart(embeddings: Embeddings, photographs: Photographs, labels: Labels) -> Labels:
    """For methods that know no pairs to keep apart: a cluster keeps one face of each photograph.

    It is the one nearest to the mean of the cluster; the others become noise, and so does a face that is left alone.
    """
    apart = np.full_like(labels, NOISE)
    for label in range(labels.max(initial=NOISE) + 1):
        members = np.flatnonzero(labels == label)
        # Of unit vectors, those with the greatest dot product are the nearest.
        likeness = embeddings[members] @ embeddings[members].mean(axis=0)
        nearest_first = members[np.argsort(-likeness, kind="stable")]
        _, first = np.unique(photographs[nearest_first], return_index=True)
        if len(first) > 1:
            apart[nearest_first[first]] = label
    return apart
