"""The report of an enrolment: what was enrolled, what was not, and why."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from service.commands.photographs.left_out import STATUSES, LeftOut, Status, left_out_lines

INCOMPLETE: tuple[Status, ...] = ("refused", "without_face")
"""An enrolment with one of these is not complete. What was not sent is no photograph, or belongs to nobody."""


@dataclass(slots=True)
class EnrolmentReport:
    """The outcome of an enrolment.

    counts: how many files have each status, and how many people are without a face.
    statuses: those that can occur, which are printed.
    """

    counts: Counter[Status] = field(default_factory=Counter)
    left_out: list[LeftOut] = field(default_factory=list)
    statuses: tuple[Status, ...] = tuple(STATUSES)

    @property
    def has_face(self) -> bool:
        """Whether at least one photograph is enrolled, now or before."""
        return self.counts["enrolled"] + self.counts["known"] > 0

    @property
    def is_complete(self) -> bool:
        """Whether every person has a face, and no photograph was refused."""
        return not any(self.counts[status] for status in INCOMPLETE)

    def add(self, *items: LeftOut) -> None:
        """Add items that were not enrolled."""
        self.left_out += items
        self.counts.update(item.status for item in items)

    def merge(self, other: "EnrolmentReport") -> None:
        """Add everything of another report."""
        self.counts += other.counts
        self.left_out += other.left_out

    def json_lines(self) -> Iterator[str]:
        """Return a line of JSON for each item that was not enrolled."""
        return (item.to_json() for item in self.left_out)

    def lines(self) -> Iterator[str]:
        """Return the lines to print: what was not enrolled, and at the end the counts."""
        yield from left_out_lines(self.left_out, "--report FILE writes all of them to a file.")
        for status in self.statuses:
            codes = Counter(item.code for item in self.left_out if item.status == status)
            detail = ", ".join(f"{count} {code}" for code, count in codes.most_common())
            yield f"{STATUSES[status]:12} {self.counts[status]:7}  {detail}".rstrip()
