"""What a search in memory needs of the records: the faces, and whose they are."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from service.gallery.indexes.base import StoredFaces
from service.gallery.records.statements.faces import FaceOwner
from service.gallery.search.in_memory.filled import NearestFace
from service.gallery.search_values import Candidate


class OwnedFaces(StoredFaces, Protocol):
    """The faces of a collection in the records, and whose they are."""

    def owners(self, numbers: Collection[int]) -> dict[int, FaceOwner]:
        """Return the owners of faces, by the numbers of the faces. A face that does not exist is left out."""
        ...


class StoredCollection(OwnedFaces, Protocol):
    """The faces of a collection in the records, and how they leave the records for an index."""

    def key(self) -> int:
        """Return the key of the collection. After the first call, it is known."""
        ...

    def rotation_secret(self) -> bytes | None:
        """Return the secret of the rotation of the vectors. None if they are not rotated."""
        ...


class FaceChanged(Exception):
    """A face was moved or deleted after the index was searched, and before its owner was read.

    Another face may now be the nearest of its former subject, so the search is made again. If nothing is changed
    meanwhile, the index is wrong: `check` builds it again.
    """


def candidates(nearest: Sequence[NearestFace], owners: Mapping[int, FaceOwner]) -> list[Candidate]:
    """Return the faces with their owners. Raises FaceChanged."""
    return [_candidate(face, owners.get(face.number)) for face in nearest]


def _candidate(face: NearestFace, owner: FaceOwner | None) -> Candidate:
    if owner is None or owner.key != face.subject:
        raise FaceChanged
    return Candidate(owner.subject, owner.name, face.distance, owner.face)
