"""The values that go into a search and come out of it."""

from dataclasses import dataclass
from datetime import datetime

from service.gallery.base import EmbeddingModel


@dataclass(frozen=True, slots=True)
class SearchQuestion:
    """What searches must have in common to go together. k: the most subjects for each probe."""

    collection: str
    k: int
    model: EmbeddingModel


@dataclass(frozen=True, slots=True)
class Candidate:
    """A subject that a probe may show, and the nearest face of that subject.

    subject, face: ids.
    distance: squared L2.
    """

    subject: str
    name: str | None
    distance: float
    face: str


Found = tuple[list[list[Candidate]], int]
"""The candidates of each probe, nearest first, and how many faces were searched."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of how many faces of a collection the index found the nearest other face, or one that is as near.

    faces: how many faces of the collection were drawn and compared.
    found: of how many of them the nearest other face was found.
    """

    faces: int
    found: int
    measured_at: datetime

    @property
    def share(self) -> float:
        return self.found / self.faces


@dataclass(frozen=True, slots=True)
class IndexState:
    """The index of a collection. agreement: the last one. None if it was not measured yet, or if the index is exact."""

    is_exact: bool
    agreement: Agreement | None
