"""A file or folder that was not used, and why."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from service.commands.output import printable

Status = Literal["enrolled", "known", "refused", "not_sent", "without_face"]

STATUSES: dict[Status, str] = {
    "enrolled": "enrolled",
    "known": "known",
    "refused": "refused",
    "not_sent": "not sent",
    "without_face": "without face",
}
"""How each status is printed. The first four are of files and folders, the last is of people."""

MAX_LISTED = 20
"""How many items of one status are printed. A file has all of them."""

REASONS: dict[str, tuple[Status, str]] = {
    "empty_folder": ("not_sent", "The folder is empty."),
    "hidden": ("not_sent", "The name starts with a dot. Rename it if it should be sent."),
    "no_person": ("not_sent", "The file is beside the folders of the people. Move it into the folder of a person."),
    "person_without_face": ("without_face", "No photograph of this person is enrolled."),
    "repeated_folder": ("not_sent", "The link leads to a folder that is read in another place, or to a folder above."),
    "unknown_suffix": ("not_sent", "The suffix is not one of a photograph. Rename the file if it is a photograph."),
    "unreadable_file": ("refused", "The file cannot be read, or the link leads to nothing."),
    "unreadable_folder": ("refused", "The folder cannot be read."),
}
"""Why a file or folder is not used, by code: the status and the sentence."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file or folder that was not used.

    status: `refused`: a photograph that the service did not accept, or a file or folder that cannot be read.
    `not_sent`: anything else in the folder. `without_face`: the folder of a person without an enrolled photograph.
    code: the code of the problem that the service returned, or one of REASONS.
    detail: the reason, in one or two sentences.
    face: the id of the face, if the photograph is enrolled for another subject.
    """

    path: Path
    status: Status
    code: str
    detail: str
    face: str | None = None

    def to_json(self) -> str:
        """Return it as a line of JSON."""
        fields = {"status": self.status, "code": self.code, "detail": self.detail, "face": self.face}
        return json.dumps({"file": str(self.path), **fields})


def left_out(path: Path, code: str) -> LeftOut:
    """Return the entry of a report for a file or folder. code: one of REASONS."""
    status, detail = REASONS[code]
    return LeftOut(path, status, code, detail)


def left_out_lines(items: Iterable[LeftOut], where_all_are: str) -> Iterator[str]:
    """Return the lines to print: each item with its reason, those of one status together. A refusal has its code.

    where_all_are: is printed if there are more than MAX_LISTED of one status. A sentence.
    """
    of_status: dict[Status, list[LeftOut]] = {status: [] for status in STATUSES}
    for item in items:
        of_status[item.status].append(item)
    for status, some in of_status.items():
        for item in some[:MAX_LISTED]:
            face = f" The face is {item.face}." if item.face else ""
            code = f" (code {item.code})" if status == "refused" else ""
            yield f"{STATUSES[status]}: {printable(os.fspath(item.path))}: {item.detail}{face}{code}"
        if len(some) > MAX_LISTED:
            yield f"{STATUSES[status]}: {len(some) - MAX_LISTED} more. {where_all_are}"


def has_refused(items: Iterable[LeftOut]) -> bool:
    """Return whether a photograph was refused. What was not sent is no photograph."""
    return any(item.status == "refused" for item in items)
