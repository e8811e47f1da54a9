"""Which of these faces are the same person's? (FaceNet, section 5.8: agglomerative clustering.)"""

from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import numpy as np
from anyio import to_thread
from numpy.typing import NDArray

from service.clusterers import build
from service.clusterers.base import NOISE, Grouping, Labels
from service.decisions.inputs import Input, Inputs, Probe
from service.domain import Embeddings, check_embeddings
from service.errors import InvalidOption
from service.galleries.base import EnrolledFace
from service.observability.metrics import DECISIONS
from service.observability.stages import stage
from service.pipeline import every_face


@dataclass(frozen=True, slots=True)
class Method:
    """How to group. threshold_sq_l2: None takes the model's own for this method."""

    name: str
    threshold_sq_l2: float | None
    n_clusters: int | None
    together: bool
    """Whether two faces of one photograph may be one person's (a collage, a mirror)."""


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """What is to be grouped: (n, d) embeddings and, row by row, the photograph that each is from."""

    embeddings: Embeddings
    photographs: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cluster:
    """members: rows of the faces. representative: the row whose mean squared distance to the others is least."""

    label: int
    representative: int
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """labels: one a face, -1 for a face that is like no other."""

    labels: Labels
    clusters: tuple[Cluster, ...]
    method: str
    threshold_sq_l2: float | None


async def cluster(inputs: Inputs, faces: Faces, method: Method, threads: anyio.CapacityLimiter) -> Clustering:
    """Groups the faces. Raises InvalidOption for an option that the method cannot use."""
    threshold = _threshold(inputs, method)
    with stage("cluster"):
        labels = await to_thread.run_sync(_group, faces, method, threshold, limiter=threads)
        clusters = await to_thread.run_sync(_describe, faces.embeddings, labels, limiter=threads)
    DECISIONS.labels("cluster", method.name).inc()
    return Clustering(labels, clusters, method.name, threshold)


async def faces_of(inputs: Inputs, images: Sequence[Input], limit: int) -> tuple[Faces, list[Probe]]:
    """Every face of every image, and what was seen in each.

    limit: of faces. Raises InvalidOption where there are more, and what Inputs.probes does.
    """
    probes = await inputs.probes(images, every_face)
    found = [len(probe.embeddings) for probe in probes]
    _check_number(sum(found), limit)
    nobody = np.empty((0, inputs.model.dimension), np.float32)
    embeddings = np.concatenate([nobody, *(probe.embeddings for probe in probes)])
    return Faces(embeddings, np.repeat(np.arange(len(probes)), found)), probes


def faces_given(inputs: Inputs, embeddings: Sequence[Sequence[float]], model: str, limit: int) -> Faces:
    """Embeddings that the client holds, no two of one photograph.

    model: the identity of the model that made them; the loaded one alone will do, as its thresholds are for its own.
    limit: of faces. Raises InvalidOption where there are more, EmbeddingError for one that cannot be compared.
    """
    _check_number(len(embeddings), limit)
    inputs.check_own(model)
    return _each_alone(check_embeddings(embeddings, inputs.model.dimension))


async def faces_enrolled(inputs: Inputs, collection: str, limit: int) -> tuple[Faces, list[EnrolledFace]]:
    """Every face of a collection, in the order of enrolment; each was enrolled from a photograph of its own.

    limit: of faces. Raises InvalidOption where there are more, GalleryError or ModelMismatch.
    """
    gallery, threads = inputs.gallery, inputs.gallery_threads
    with stage("gallery"):
        _check_number(await to_thread.run_sync(gallery.faces_of, collection, limiter=threads), limit)
        enrolled, embeddings = await to_thread.run_sync(gallery.references, collection, inputs.model, limiter=threads)
    return _each_alone(embeddings), enrolled


def _each_alone(embeddings: Embeddings) -> Faces:
    return Faces(embeddings, np.arange(len(embeddings)))


def _check_number(faces: int, limit: int) -> None:
    """Before they are compared with each other, which takes memory for each pair."""
    if faces > limit:
        raise InvalidOption(f"{faces} faces are to be grouped, and the limit is {limit}. Send fewer.")


def _threshold(inputs: Inputs, method: Method) -> float | None:
    """The caller's; where neither it nor a number of clusters was given, the model's own for this method."""
    if method.threshold_sq_l2 is None and method.n_clusters is None:
        return inputs.card.thresholds.clustering.get(method.name)
    return method.threshold_sq_l2


def _group(faces: Faces, method: Method, threshold_sq_l2: float | None) -> Labels:
    clusterer = build(method.name, Grouping(threshold_sq_l2, method.n_clusters))
    photographs = np.arange(len(faces.embeddings)) if method.together else faces.photographs
    return clusterer.cluster(faces.embeddings, photographs)


def _describe(embeddings: Embeddings, labels: Labels) -> tuple[Cluster, ...]:
    """The clusters in the order of their labels; noise is none."""
    rows = (np.flatnonzero(labels == label) for label in range(labels.max(initial=NOISE) + 1))
    return tuple(
        Cluster(label, _representative(embeddings, members), tuple(members.tolist()))
        for label, members in enumerate(rows)
    )


def _representative(embeddings: Embeddings, members: Labels) -> int:
    """As squared L2 of unit vectors is 2 - 2 cos, the least mean distance is the greatest product with their sum.

    The first of equals, such as of two: the sixth digit is chance.
    """
    vectors = embeddings[members]
    return int(members[np.argmax(np.round(vectors @ vectors.sum(axis=0), 5))])
