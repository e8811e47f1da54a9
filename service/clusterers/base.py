"""The interface of a clusterer, and the rules that all clusterers follow."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.domain.embedding import Embeddings
from service.domain.errors import InvalidOption
from service.model_files.clustering import ClusteringThresholds

Labels = NDArray[np.int64]
"""(n,) int64: 0, 1, ... for clusters, in the order of their first faces.

-1 is noise: a face that is similar to no other.
"""

Photographs = NDArray[np.int64]
"""(n,) int64: the number of the photograph that each face is from."""

NOISE = -1

Threshold = float | ClusteringThresholds
"""A squared L2 distance, or one for each number of people."""


@dataclass(frozen=True, slots=True)
class ClusteringLimits:
    """Where clustering stops.

    A method raises InvalidOption if a limit that it needs is missing, or if a limit that it does not use is given.

    threshold_sq_l2: the distance below which faces belong to one person.
    n_clusters: the number of people, if it is known.
    default_threshold: of the model. A method that needs a threshold uses it if the caller gives no limit.
    """

    threshold_sq_l2: float | None = None
    n_clusters: int | None = None
    default_threshold: Threshold | None = None

    @property
    def chosen_threshold(self) -> Threshold | None:
        """The threshold of the caller, or the default if the caller gives no limit."""
        if self.threshold_sq_l2 is None and self.n_clusters is None:
            return self.default_threshold
        return self.threshold_sq_l2


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """The clusters of faces.

    threshold_sq_l2: the threshold that gives these clusters. None if the method used none.
    """

    labels: Labels
    threshold_sq_l2: float | None


class Clusterer(Protocol):
    """Groups faces by person. The same faces always give the same clusters."""

    def cluster(self, embeddings: Embeddings, photographs: Photographs) -> Clusters:
        """Cluster the faces. Two faces of one photograph never get the same label.

        embeddings: (n, d) float32, unit length. n may be 0.
        Raises InvalidOption if the faces cannot form the requested number of clusters.
        """
        ...


def thresholds_at(threshold: Threshold, people: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the threshold for each number of people. A number is the threshold for all of them."""
    if isinstance(threshold, ClusteringThresholds):
        return threshold.at(people)
    return np.full(people.shape, threshold)


def missing_option(example: str, method: str) -> InvalidOption:
    """Return the error for a missing option. example: the option in a query, such as `n_clusters=2`."""
    option = example.partition("=")[0]
    return InvalidOption(f"The method {method} needs {option}. Add it to the query, for example {example}.")


def refuse_option(value: object, option: str, method: str) -> None:
    """Raise InvalidOption if the value is not None."""
    if value is not None:
        raise InvalidOption(f"The method {method} does not use {option}. Leave it out, or choose another method.")


def check_n_clusters(n_clusters: int, photographs: Photographs) -> None:
    """Raise InvalidOption if these faces cannot be that many people."""
    if n_clusters > len(photographs):
        raise InvalidOption(
            f"There are {len(photographs)} faces and {n_clusters} clusters were asked for. Ask for fewer."
        )
    _, faces = np.unique(photographs, return_counts=True)
    if n_clusters < faces.max():
        raise InvalidOption(
            f"One photograph shows {faces.max()} faces. So there are at least as many people, and {n_clusters} "
            "clusters were asked for. Ask for more, or pass one_person_once=false."
        )


def renumber(labels: Labels) -> Labels:
    """Return labels in which the clusters are numbered in the order of their first faces."""
    numbers: dict[int, int] = {NOISE: NOISE}
    return np.array([numbers.setdefault(label, len(numbers) - 1) for label in labels.tolist()], np.int64)


def separate_photographs(embeddings: Embeddings, photographs: Photographs, labels: Labels) -> Labels:
    """Keep one face of each photograph in a cluster, for methods that cannot keep two faces apart by themselves.

    Of the faces of one photograph, the face nearest to the mean of the cluster stays. The others become noise. If only
    one face is left in a cluster, it becomes noise too.
    """
    separated = np.full_like(labels, NOISE)
    for label in range(labels.max(initial=NOISE) + 1):
        members = np.flatnonzero(labels == label)
        # For unit vectors, the greatest dot product belongs to the least distance.
        similarity = embeddings[members] @ embeddings[members].mean(axis=0)
        nearest_first = members[np.argsort(-similarity, kind="stable")]
        _, first = np.unique(photographs[nearest_first], return_index=True)
        if len(first) > 1:
            separated[nearest_first[first]] = label
    return separated
