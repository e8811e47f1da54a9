"""Cluster the faces of photographs by person."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from facenet_client.schemas import LoadedModelAnswer
from service.clusterers import label_faces
from service.clusterers.base import ClusteringLimits, Threshold
from service.commands.photographs.face_finding import FoundFaces
from service.domain.command_errors import TooManyFaces
from service.model_files.clustering import ClusteringThresholds
from service.observability.process_limits import memory_limit_bytes

METHOD = "agglomerative"
BYTES_PER_PAIR = 16
"""What the clusterer needs for each pair of faces."""

_THRESHOLD: TypeAdapter[float | ClusteringThresholds | None] = TypeAdapter(float | ClusteringThresholds | None)


@dataclass(frozen=True, slots=True)
class SortedPerson:
    """A person in several photographs.

    name: `person-001` and so on. The first person is in most photographs.
    faces: positions in `FoundFaces.faces`. Two faces of one photograph are never one person.
    """

    name: str
    faces: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SortedPeople:
    """All people, and how sure it is.

    threshold_sq_l2: the distance below which faces were taken for one person.
    expected_mixed_share: at most this share of the clusters is expected to hold faces of several people. None with a
    threshold of the user, and if the model does not say it.
    """

    people: list[SortedPerson]
    threshold_sq_l2: float | None
    expected_mixed_share: float | None


def read_threshold(model: LoadedModelAnswer) -> Threshold | None:
    """Return the default threshold of clusters. model: the answer of GET /model."""
    return _THRESHOLD.validate_python(model.model_dump()["clustering_threshold"])


def cluster_people(found: FoundFaces, limits: ClusteringLimits, min_photographs: int) -> SortedPeople:
    """Return the people who are in at least `min_photographs`. Raises TooManyFaces or InvalidOption.

    The faces are clustered here and not by POST /cluster: the service would have to hold thousands of embeddings for
    one client, and would not know which of them are from one photograph.
    """
    require_memory(len(found.faces), memory_limit_bytes())
    result = label_faces(METHOD, limits, found.embeddings, found.photograph_numbers)
    clusters: dict[int, list[int]] = {}
    for face, label in enumerate(result.labels.tolist()):
        clusters.setdefault(label, []).append(face)
    people = _named([faces for faces in clusters.values() if len(faces) >= min_photographs])
    return SortedPeople(people, result.threshold_sq_l2, _expected_mixed_share(limits))


def _expected_mixed_share(limits: ClusteringLimits) -> float | None:
    chosen = limits.chosen_threshold
    return chosen.mixed_share if isinstance(chosen, ClusteringThresholds) else None


def require_memory(faces: int, memory_bytes: int) -> None:
    """Raise TooManyFaces if the pairs of these faces would take more than half of the memory."""
    most = int((memory_bytes / BYTES_PER_PAIR) ** 0.5)  # n (n - 1) / 2 pairs
    if faces > most:
        raise TooManyFaces(faces, most)


def _named(clusters: Sequence[list[int]]) -> list[SortedPerson]:
    """Give the clusters names that sort: those with most photographs first, then by their first face."""
    ordered = sorted(clusters, key=lambda faces: (-len(faces), faces[0]))
    digits = max(3, len(str(len(ordered))))
    return [SortedPerson(f"person-{number:0{digits}}", tuple(faces)) for number, faces in enumerate(ordered, 1)]
