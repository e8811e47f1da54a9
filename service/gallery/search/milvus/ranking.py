"""The nearest subjects of a probe, among faces that were read from the records."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.domain.distances import squared_l2
from service.domain.embedding import Embeddings
from service.gallery.records.statements.indexed_faces import StoredVectors


@dataclass(frozen=True, slots=True)
class RankedFace:
    """The nearest face of a subject. number: of the face. distance: squared L2, as of every comparison."""

    number: int
    distance: float


def rank(
    probes: Embeddings, proposed: Sequence[Sequence[int]], new: Sequence[int], stored: StoredVectors | None, k: int
) -> list[list[RankedFace]]:
    """Return at most k subjects for each probe, nearest first.

    proposed: the numbers of faces that may be the nearest, for each probe. new: those that are compared with each.
    stored: what the records hold of them. Any other face was deleted.
    """
    if stored is None:
        return [[] for _ in probes]
    distances = squared_l2(probes, stored.embeddings)
    is_new = np.isin(stored.numbers, new)
    rows = []
    for of_probe, numbers in zip(distances, proposed, strict=True):
        places = np.flatnonzero(is_new | np.isin(stored.numbers, numbers))
        rows.append(_nearest_of_subjects(places[np.argsort(of_probe[places], kind="stable")], of_probe, stored, k))
    return rows


def _nearest_of_subjects(
    ordered: NDArray[np.int64], distances: NDArray[np.float32], stored: StoredVectors, k: int
) -> list[RankedFace]:
    """Return the first face of each subject. ordered: the places of faces, nearest first."""
    first = np.sort(np.unique(stored.subjects[ordered], return_index=True)[1])[:k]
    return [RankedFace(int(stored.numbers[place]), float(distances[place])) for place in ordered[first]]
