"""What a check has found."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from service.domain.command_errors import StartupError

Status = Literal["ok", "note", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found.

    status: `note`: it works, and could be better. `fault`: the service does not start, or does not work.
    about: what was checked, in one or two words.
    text: what was found and, if it is not good, what to do.
    """

    status: Status
    about: str
    text: str

    @property
    def is_fault(self) -> bool:
        return self.status == "fault"

    def __str__(self) -> str:
        return f"{self.status:6} {self.about}: {self.text}"


class Findings(list[Finding]):
    """The findings of several checks, in their order."""

    def ok(self, about: str, text: str) -> None:
        """Add something that is good."""
        self.append(Finding("ok", about, text))

    def note(self, about: str, text: str) -> None:
        """Add something that works, and could be better."""
        self.append(Finding("note", about, text))

    def fault(self, about: str, text: str) -> None:
        """Add something that does not work."""
        self.append(Finding("fault", about, text))

    @contextmanager
    def faults_of(self, about: str) -> Iterator[None]:
        """Turn an error that would stop the start into a fault. Its message says what to do."""
        try:
            yield
        except StartupError as error:
            self.fault(about, str(error))
