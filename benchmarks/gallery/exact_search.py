"""The answers that exact search gives, to compare those of the service with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.gallery.people import EnrolledPeople
from service.domain.embedding import Embeddings

NEAREST = 64
"""Faces of which the nearest two people are taken. A person has fewer faces, so there are at least two people."""

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Agreement:
    """How often the service answered as exact search does.

    subjects: the nearest subject is the same. decisions: the subject and the decision are the same.
    distances: the distance is that of the two vectors, within TOLERANCE.
    """

    probes: int
    subjects: float
    decisions: float
    distances: float


@dataclass(frozen=True, slots=True, eq=False)
class ExactAnswers:
    """The nearest person of each probe, and the distance to each, in float64.

    rows: (n,) int64, of the nearest face.
    """

    people: EnrolledPeople
    probes: Embeddings
    rows: NDArray[np.int64]
    distances: NDArray[np.float64]

    @classmethod
    def search(cls, people: EnrolledPeople, probes: Embeddings) -> "ExactAnswers":
        """Compare each probe with each face. Near ties are decided in float64."""
        index = faiss.IndexFlatL2(people.faces.shape[1])
        index.add(people.faces)
        rows = index.search(probes, NEAREST)[1]
        exact = np.stack([_distances(probe, people.faces[near]) for probe, near in zip(probes, rows, strict=True)])
        nearest = exact.argmin(axis=1)[:, None]
        return cls(
            people, probes, np.take_along_axis(rows, nearest, 1)[:, 0], np.take_along_axis(exact, nearest, 1)[:, 0]
        )

    def compare(self, answers: Sequence[Mapping[str, Any]]) -> Agreement:
        """Compare the answers of POST /identify, one for each probe."""
        faces = [answer["faces"][0] for answer in answers]
        subjects = np.array([face["candidates"][0]["subject"] for face in faces])
        distances = np.array([face["candidates"][0]["distance"] for face in faces])
        expected = np.array([self.people.subject(row) for row in self.rows])
        is_match = np.array([face["decision"] != "unknown" for face in faces])
        should_match = self.distances < np.array([answer["threshold"] for answer in answers])
        same = subjects == expected
        return Agreement(
            len(faces),
            float(same.mean()),
            float((same & (is_match == should_match)).mean()),
            float((np.abs(distances - self.distances)[same] <= TOLERANCE).mean()),
        )


def _distances(probe: NDArray[np.float32], faces: Embeddings) -> NDArray[np.float64]:
    return np.asarray(((faces.astype(np.float64) - probe.astype(np.float64)) ** 2).sum(axis=1))
