"""Vectors that are shaped like the embeddings of faces.

Real embeddings differ much between people and little within a person, and in both cases more in some directions than in
others. Vectors around random centres have no such directions. They make every approximate index look better than it is.

So the covariance of the people and the covariance within a person are measured on photographs, and vectors are drawn
from Gaussians with these two covariances. At the end they are scaled to length 1, as embeddings are.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.evaluation.data.identities import read_identities
from models.evaluation.embedding.files import embed_files
from models.progress import progress_bar
from service.domain.distances import unit
from service.domain.embedding import Embeddings
from service.pipeline.opening import PipelineOptions

PHOTOGRAPHS_OF_A_PERSON = 4
PEOPLE = 1000
"""How many people with two photographs or more are measured. With more, the covariances hardly change."""

PEOPLE_AT_ONCE = 5000


@dataclass(frozen=True, slots=True, eq=False)
class FaceShape:
    """How embeddings are spread.

    mean: (d,) float32. between, within: (d, d) float32, factors of the two covariances (Cholesky).
    embeddings: (n, d) float32, what was measured, person by person. people: (n,) int64, the person of each.
    """

    mean: NDArray[np.float32]
    between: NDArray[np.float32]
    within: NDArray[np.float32]
    embeddings: Embeddings
    people: NDArray[np.int64]

    @classmethod
    def measure(cls, embeddings: Embeddings, people: NDArray[np.int64]) -> "FaceShape":
        """Measure the spread. embeddings: (n, d) float32. people: (n,) int64, each with at least two rows."""
        count = np.bincount(people)
        means = np.stack([embeddings[people == person].mean(axis=0) for person in range(len(count))])
        inside = (embeddings - means[people]).T @ (embeddings - means[people]) / (len(people) - len(count))
        mean_of_a_person_varies = inside / count.mean()
        outside = np.cov(means.T) - mean_of_a_person_varies
        return cls(means.mean(axis=0), _factor(outside), _factor(inside), embeddings, people)

    def draw_people(self, count: int, seed: int) -> Embeddings:
        """Draw the centres of people, (count, d) float32. They are not of length 1."""
        normal = np.random.default_rng(seed).standard_normal((count, len(self.mean)), np.float32)
        return np.asarray(self.mean + normal @ self.between.T, np.float32)

    def draw_faces(self, people: Embeddings, of_each: int, seed: int) -> Embeddings:
        """Draw faces of people, (count * of_each, d) float32, unit length, person by person."""
        return np.concatenate(list(self._blocks(people, of_each, np.random.default_rng(seed))))

    def _blocks(self, people: Embeddings, of_each: int, random: np.random.Generator) -> Iterator[Embeddings]:
        for start in range(0, len(people), PEOPLE_AT_ONCE):
            centres = np.repeat(people[start : start + PEOPLE_AT_ONCE], of_each, axis=0)
            normal = random.standard_normal(centres.shape, np.float32)
            yield unit(centres + normal @ self.within.T)


def measured_shape(cache: Path, photographs: Path, options: PipelineOptions) -> FaceShape:
    """Return the shape of the embeddings of photographs. It is measured once, and then read from a file.

    cache: the file. photographs: a folder for each person.
    """
    if not cache.exists():
        shape = FaceShape.measure(*_embed(photographs, options))
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, **asdict(shape))
    with np.load(cache) as stored:
        return FaceShape(**stored)


def _factor(covariance: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the Cholesky factor. A covariance from few people can have tiny negative eigenvalues: they become tiny."""
    values, vectors = np.linalg.eigh(covariance.astype(np.float64))
    positive = (vectors * np.maximum(values, 1e-7)) @ vectors.T
    return np.linalg.cholesky(positive).astype(np.float32)


def _embed(photographs: Path, options: PipelineOptions) -> tuple[Embeddings, NDArray[np.int64]]:
    """Return embeddings of photographs, and the person of each: 0, 1, ..., each with at least two photographs."""
    drawn = read_identities(photographs, PHOTOGRAPHS_OF_A_PERSON)
    several = np.flatnonzero(np.bincount(drawn.people) > 1)[:PEOPLE]
    rows = np.flatnonzero(np.isin(drawn.people, several))
    with progress_bar(len(rows), "measuring how embeddings are spread") as done:
        embeddings, embedded = embed_files(options, [drawn.files[row] for row in rows], done)
    people = drawn.people[rows[embedded]]
    has_two = np.isin(people, np.flatnonzero(np.bincount(people) > 1))
    return embeddings[has_two], np.unique(people[has_two], return_inverse=True)[1]
