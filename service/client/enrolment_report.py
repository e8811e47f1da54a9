"""The report of an enrolment: what was enrolled, what was not, and why."""

import json
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Status = Literal["enrolled", "known", "refused", "not_sent", "without_face"]

STATUSES: dict[Status, str] = {
    "enrolled": "enrolled",
    "known": "known",
    "refused": "refused",
    "not_sent": "not sent",
    "without_face": "without face",
}
"""How each status is printed. The first four are of files and folders, the last is of people."""

INCOMPLETE: tuple[Status, ...] = ("refused", "without_face")
"""An enrolment with one of these is not complete. What was not sent is no photograph, or belongs to nobody."""

MAX_LISTED = 20
"""How many items of one status are printed. The report file has all of them."""


@dataclass(frozen=True, slots=True)
class NotEnrolled:
    """A file or folder that was not enrolled.

    status: `refused`: a photograph that was not enrolled, or a folder that cannot be read. `not_sent`: anything else in
    the folder. `without_face`: the folder of a person without an enrolled photograph.
    code: the code of the problem that the service returned, or one of `people_folder.REASONS`.
    detail: the reason, in one or two sentences.
    face: the id of the face, if the photograph is enrolled for another subject.
    """

    path: Path
    status: Status
    code: str
    detail: str
    face: str | None = None


@dataclass(slots=True)
class EnrolmentReport:
    """The outcome of an enrolment.

    counts: how many files have each status, and how many people are without a face.
    statuses: those that can occur, which are printed.
    """

    counts: Counter[Status] = field(default_factory=Counter)
    not_enrolled: list[NotEnrolled] = field(default_factory=list)
    statuses: tuple[Status, ...] = tuple(STATUSES)

    @property
    def has_face(self) -> bool:
        """Whether at least one photograph is enrolled, now or before."""
        return self.counts["enrolled"] + self.counts["known"] > 0

    @property
    def is_complete(self) -> bool:
        """Whether every person has a face, and no photograph was refused."""
        return not any(self.counts[status] for status in INCOMPLETE)

    def add(self, *items: NotEnrolled) -> None:
        """Add items that were not enrolled."""
        self.not_enrolled += items
        self.counts.update(item.status for item in items)

    def merge(self, other: "EnrolmentReport") -> None:
        """Add everything of another report."""
        self.counts += other.counts
        self.not_enrolled += other.not_enrolled

    def json_lines(self) -> Iterator[str]:
        """Return a line of JSON for each item that was not enrolled."""
        for item in self.not_enrolled:
            fields = {"status": item.status, "code": item.code, "detail": item.detail, "face": item.face}
            yield json.dumps({"file": str(item.path), **fields})

    def lines(self) -> Iterator[str]:
        """Return the lines to print: what was not enrolled, and at the end the counts."""
        for status in self.statuses:
            yield from self._listed(status)
        for status in self.statuses:
            codes = Counter(item.code for item in self.not_enrolled if item.status == status)
            detail = ", ".join(f"{count} {code}" for code, count in codes.most_common())
            yield f"{STATUSES[status]:12} {self.counts[status]:7}  {detail}".rstrip()

    def _listed(self, status: Status) -> Iterator[str]:
        items = [item for item in self.not_enrolled if item.status == status]
        for item in items[:MAX_LISTED]:
            face = f" The face is {item.face}." if item.face else ""
            yield f"{STATUSES[status]}: {printable(os.fspath(item.path))}: {item.detail}{face}"
        if len(items) > MAX_LISTED:
            yield f"{STATUSES[status]}: {len(items) - MAX_LISTED} more. --report FILE writes all of them to a file."


def printable(name: str) -> str:
    """Return a name of a file as text that can be printed: Unicode without control characters."""
    text = name.encode("utf-8", "replace").decode()
    return "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in text)
