"""Which of these faces belong to the same person? (FaceNet, section 5.8: agglomerative clustering.)"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.clusterers import label_faces
from service.clusterers.base import NOISE, ClusteringLimits, Labels
from service.decisions.inputs import Input
from service.decisions.probes import Probe, ProbeReader
from service.domain.embedding import Embeddings, Vector, check_embeddings
from service.domain.errors import InvalidOption
from service.gallery.base import EnrolledFace
from service.model_files.card import EmbedderCard
from service.observability.metrics import DECISIONS
from service.observability.outcomes import note_collection, note_decision
from service.observability.stages import stage
from service.pipeline.processes.worker_process import WorkerProcess
from service.pipeline.round_robin import RoundRobinThreads
from service.pipeline.selection import all_faces

FACES_FOR_PROCESS = 500
"""From this number of faces on, the other process is worth the way to it. Measured with `benchmarks/loop_lag.py`."""


@dataclass(frozen=True, slots=True)
class ClusteringPlaces:
    """Where faces are clustered.

    threads: for few faces.
    process: for many faces. SciPy and scikit-learn hold the interpreter (the GIL) for seconds.
    """

    threads: RoundRobinThreads
    process: WorkerProcess


@dataclass(frozen=True, slots=True)
class ClusteringOptions:
    """How to cluster.

    threshold_sq_l2: None means the threshold of the card for this method.
    one_person_once: whether two faces of one photograph are never the same person. A collage can show a person twice.
    """

    method: str
    threshold_sq_l2: float | None
    n_clusters: int | None
    one_person_once: bool


@dataclass(frozen=True, slots=True, eq=False)
class FacesToCluster:
    """Faces, row by row.

    embeddings: (n, d) float32, unit length.
    photographs: (n,) int64, the number of the photograph that each face is from.
    """

    embeddings: Embeddings
    photographs: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster of faces.

    representative: the member with the least mean squared distance to the others.
    members: the rows of the faces.
    """

    label: int
    representative: int
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """The clusters of all faces.

    labels: one for each face. -1 marks a face that is similar to no other.
    threshold_sq_l2: that was used. None if none was.
    expected_mixed_share: at most this share of the clusters is expected to hold faces of several people. None if it is
    not known.
    """

    labels: Labels
    clusters: tuple[Cluster, ...]
    method: str
    threshold_sq_l2: float | None
    expected_mixed_share: float | None


async def cluster(
    probes: ProbeReader, faces: FacesToCluster, options: ClusteringOptions, places: ClusteringPlaces
) -> Clustering:
    """Cluster the faces. Raises InvalidOption if the method cannot use an option, and Overloaded."""
    default = probes.card.default_clustering_threshold(options.method)
    limits = ClusteringLimits(options.threshold_sq_l2, options.n_clusters, default)
    photographs = faces.photographs if options.one_person_once else np.arange(len(faces.embeddings))
    place = places.process if len(photographs) >= FACES_FOR_PROCESS else places.threads
    with stage("cluster"):
        found = await place.run(label_faces, options.method, limits, faces.embeddings, photographs)
        clusters = await places.threads.run(_describe, faces.embeddings, found.labels)
    DECISIONS.labels("cluster", options.method).inc()
    threshold = found.threshold_sq_l2
    note_decision(probes.card.id, threshold, faces=len(found.labels), clusters=len(clusters))
    return Clustering(
        found.labels, clusters, options.method, threshold, _expected_mixed_share(probes.card, options, threshold)
    )


async def faces_of_images(
    probes: ProbeReader, images: Sequence[Input], max_faces: int
) -> tuple[FacesToCluster, list[Probe]]:
    """Return every face of every image, and the probe of each image.

    Raises InvalidOption if there are more than `max_faces`. Raises what `ProbeReader.read_all` raises.
    """
    read = await probes.read_all(images, all_faces)
    counts = [len(probe.embeddings) for probe in read]
    _check_count(sum(counts), max_faces)
    no_embeddings = np.empty((0, probes.loaded_model.dimension), np.float32)
    embeddings = np.concatenate([no_embeddings, *(probe.embeddings for probe in read)])
    return FacesToCluster(embeddings, np.repeat(np.arange(len(read)), counts)), read


def faces_of_embeddings(
    probes: ProbeReader, embeddings: Sequence[Vector], model_id: str, max_faces: int
) -> FacesToCluster:
    """Return the embeddings that a client sent. Each counts as the face of a different photograph.

    model_id: must be the id of the loaded model, because the thresholds for clustering are for its embeddings only.
    Raises InvalidOption if there are more than `max_faces`. Raises EmbeddingError if one cannot be compared.
    """
    _check_count(len(embeddings), max_faces)
    probes.require_loaded_model(model_id)
    return _of_different_photographs(check_embeddings(embeddings, probes.loaded_model.dimension))


async def faces_of_collection(
    probes: ProbeReader, collection: str, max_faces: int
) -> tuple[FacesToCluster, list[EnrolledFace]]:
    """Return every face of a collection, in the order of enrolment. Each is from a different photograph.

    Raises InvalidOption if there are more than `max_faces`. Raises GalleryError or ModelMismatch.
    """
    note_collection(collection)
    with stage("gallery"):
        _check_count(await probes.gallery.count_faces(collection), max_faces)
        enrolled, embeddings = await probes.gallery.references(collection, probes.loaded_model)
    return _of_different_photographs(embeddings), enrolled


def _of_different_photographs(embeddings: Embeddings) -> FacesToCluster:
    return FacesToCluster(embeddings, np.arange(len(embeddings)))


def _check_count(faces: int, max_faces: int) -> None:
    """Check the number of faces before the clusterer needs memory for each pair."""
    if faces > max_faces:
        raise InvalidOption(f"There are {faces} faces to cluster, and the limit is {max_faces}. Send fewer.")


def _expected_mixed_share(
    card: EmbedderCard, options: ClusteringOptions, used_threshold_sq_l2: float | None
) -> float | None:
    """Return the share that the thresholds of the card were measured for, if one of them was used."""
    if card.clustering is None or options.threshold_sq_l2 is not None or used_threshold_sq_l2 is None:
        return None
    return card.clustering.mixed_share


def _describe(embeddings: Embeddings, labels: Labels) -> tuple[Cluster, ...]:
    """Return the clusters in the order of their labels. Noise is not a cluster."""
    rows = (np.flatnonzero(labels == label) for label in range(labels.max(initial=NOISE) + 1))
    return tuple(
        Cluster(label, _representative(embeddings, members), tuple(members.tolist()))
        for label, members in enumerate(rows)
    )


def _representative(embeddings: Embeddings, members: Labels) -> int:
    """Return the member with the least mean squared distance to the others.

    The squared L2 distance of unit vectors is 2 - 2 cos. So this is the member whose dot product with the sum of all
    members is greatest. Products are rounded to five digits, because later digits are only rounding errors. If several
    members are equal, the first is taken.
    """
    vectors = embeddings[members]
    return int(members[np.argmax(np.round(vectors @ vectors.sum(axis=0), 5))])
