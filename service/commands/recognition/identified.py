"""Send each photograph to POST /identify, and keep what the service decided about each face."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import facenet_client.schemas
from service.commands.connection import Connection
from service.commands.photographs.left_out import LeftOut
from service.commands.photographs.photograph_file import box_of, read_photograph, refused_photograph
from service.commands.photographs.threads import map_in_threads
from service.domain.command_errors import RequestRefused
from service.domain.face import Box

REQUESTS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class IdentifiedFace:
    """What the service decided about a face.

    decision: `match`, `ambiguous` or `unknown`.
    subject, name: of the match. For an ambiguous face, both subjects are in `between`.
    distance: squared L2, of the match. score: 0 to 100.
    nearest_distance: squared L2, of the nearest subject, also if it is no match. None if nobody is enrolled.
    box: in pixels of the upright photograph.
    """

    decision: str
    subject: str | None
    name: str | None
    distance: float | None
    score: float | None
    nearest_distance: float | None
    between: tuple[str, ...]
    box: Box

    @classmethod
    def of(cls, face: facenet_client.schemas.IdentifiedFace) -> Self:
        """Read a face of an answer. Raises RequestRefused if it has no box."""
        names = {candidate.subject: candidate.name for candidate in face.candidates}
        return cls(
            decision=face.decision,
            subject=face.subject,
            name=None if face.subject is None else names.get(face.subject),
            distance=face.distance,
            score=face.score,
            nearest_distance=min((candidate.distance for candidate in face.candidates), default=None),
            between=tuple(candidate.subject for candidate in face.between),
            box=box_of(face),
        )

    @property
    def shown_name(self) -> str:
        """The name of the match, or the id of a subject that has no name."""
        return self.name or self.subject or " or ".join(self.between) or self.decision


@dataclass(frozen=True, slots=True)
class IdentifiedPhotograph:
    """A photograph and its faces.

    faces: empty if it shows none. threshold: squared L2. gallery_size: how many enrolled faces were searched.
    """

    file: Path
    faces: tuple[IdentifiedFace, ...]
    threshold: float
    gallery_size: int


@dataclass(frozen=True, slots=True)
class Identification:
    """Identifies photographs in one collection.

    max_fpir: how often a stranger may get a match. None: the default of the service.
    done: is called after each photograph.
    """

    service: Connection
    collection: str
    max_fpir: float | None
    done: Callable[[], object]

    def run(self, files: Sequence[Path]) -> Iterator[IdentifiedPhotograph | LeftOut]:
        """Yield the result of each photograph, in the order of `files`.

        Raises RequestRefused or Unreachable if the problem is not about one photograph.
        """
        for result in map_in_threads(self._identify, files, REQUESTS_AT_ONCE):
            self.done()
            yield result

    def _identify(self, file: Path) -> IdentifiedPhotograph | LeftOut:
        photograph = read_photograph(file)
        if isinstance(photograph, LeftOut):
            return photograph
        try:
            answer = self.service.identify(photograph.data, self.collection, max_fpir=self.max_fpir)
        except RequestRefused as error:
            return refused_photograph(file, error)
        faces = tuple(map(IdentifiedFace.of, answer.faces))
        return IdentifiedPhotograph(file, faces, answer.threshold, answer.gallery_size)
