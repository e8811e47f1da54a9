"""Read a folder of people. Each folder in it is a person, and all photographs below that folder are of that person.

Only the suffix of a file is looked at. The service looks at the content. Everything that is not sent is listed with the
reason.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from service.client.enrolment_report import NotEnrolled, Status, printable
from service.domain.identifiers import ID_PATTERN

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp", ".mpo", ".jp2", ".jxl"}
    | {".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
    | {".heic", ".heics", ".heif", ".heifs", ".hif", ".avif"}
)
"""The usual suffixes of photographs, in small letters. The service may refuse some of these formats, and says so."""

REASONS: dict[str, tuple[Status, str]] = {
    "empty_folder": ("not_sent", "The folder is empty."),
    "hidden": ("not_sent", "The name starts with a dot. Rename it if it should be enrolled."),
    "no_person": ("not_sent", "The file is beside the folders of the people. Move it into the folder of a person."),
    "person_without_face": ("without_face", "No photograph of this person is enrolled."),
    "repeated_folder": ("not_sent", "The link leads to a folder that is read in another place, or to a folder above."),
    "unknown_suffix": ("not_sent", "The suffix is not one of a photograph. Rename the file if it is a photograph."),
    "unreadable_file": ("refused", "The file cannot be read, or the link leads to nothing."),
    "unreadable_folder": ("refused", "The folder cannot be read."),
}
"""Why a file or folder is not enrolled, by code: the status and the sentence."""


def not_enrolled(path: Path, code: str) -> NotEnrolled:
    """Return the entry of the report for a file or folder. code: one of REASONS."""
    status, detail = REASONS[code]
    return NotEnrolled(path, status, code, detail)


@dataclass(frozen=True, slots=True)
class Person:
    """A person, and the photographs of that person. folder: the folder of the person."""

    folder: Path
    photographs: tuple[Path, ...]

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.name

    @property
    def printable_name(self) -> str:
        """The name as the service accepts it: Unicode without control characters."""
        return printable(self.name)

    @property
    def id(self) -> str:
        """The name, if it is a valid id. Otherwise its valid characters and a digest, which makes the id unique."""
        if re.fullmatch(ID_PATTERN, self.name):
            return self.name
        digest = hashlib.sha256(self.name.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        letters = re.sub(r"[^A-Za-z0-9._-]+", "-", self.name).strip("._-")[:100]
        return f"{letters}-{digest}" if letters else digest


@dataclass(frozen=True, slots=True)
class PeopleFolder:
    """What is in a folder of people.

    people: those with a photograph, by name.
    left_out: what is not sent, and the people without a photograph.
    """

    people: list[Person]
    left_out: list[NotEnrolled]

    @property
    def photographs(self) -> int:
        """How many photographs all people have."""
        return sum(len(person.photographs) for person in self.people)


def read_people(folder: Path) -> PeopleFolder:
    """List the people of a folder, and what is not sent."""
    reader = _Reader(folder)
    people = []
    for entry in reader.list_folder(folder):
        if not S_ISDIR(_mode(entry)):
            reader.leave_out(entry, "no_person")
        elif photographs := tuple(reader.photographs_below(entry)):
            people.append(Person(entry, photographs))
        else:
            reader.leave_out(entry, "person_without_face")
    return PeopleFolder(people, reader.left_out)


class _Reader:
    """Reads folders. left_out: what was found and is not sent.

    A link to a folder inside or around `root` is not followed: what is there belongs to the person whose folder it is
    in. A link to a folder elsewhere is followed, but only one such link, because it could be a loop.
    """

    def __init__(self, root: Path) -> None:
        self.left_out: list[NotEnrolled] = []
        self._root = root.resolve()
        self._followed: set[Path] = set()

    def photographs_below(self, folder: Path) -> Iterator[Path]:
        """Return all photographs in the folder and in the folders below it."""
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            if not self._enter(current):
                self.leave_out(current, "repeated_folder")
                continue
            entries = list(self.list_folder(current))
            modes = {entry: _mode(entry) for entry in entries}
            waiting += [entry for entry in reversed(entries) if S_ISDIR(modes[entry])]
            yield from (entry for entry in entries if self._is_photograph(entry, modes[entry]))

    def list_folder(self, folder: Path) -> Iterator[Path]:
        """Return what is in the folder, by name, without hidden files and folders."""
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            self.leave_out(folder, "unreadable_folder")
            return
        if not entries:
            self.leave_out(folder, "empty_folder")
        for entry in entries:
            if entry.name.startswith("."):
                self.leave_out(entry, "hidden")
            else:
                yield entry

    def _enter(self, folder: Path) -> bool:
        """Return whether the folder should be read. If it is a link, remember where it leads."""
        if not folder.is_symlink():
            return True
        real = folder.resolve()
        if real in self._followed or real.is_relative_to(self._root) or self._root.is_relative_to(real):
            return False
        self._followed.add(real)
        return True

    def _is_photograph(self, path: Path, mode: int) -> bool:
        """Return whether the file should be sent. If it is not a folder and is not sent, list it."""
        if S_ISDIR(mode):
            return False
        has_suffix = path.suffix.lower() in SUFFIXES
        if S_ISREG(mode) and has_suffix:
            return True
        self.leave_out(path, "unreadable_file" if has_suffix or not mode else "unknown_suffix")
        return False

    def leave_out(self, path: Path, code: str) -> None:
        """List a file or folder that is not sent. code: one of REASONS."""
        self.left_out.append(not_enrolled(path, code))


def _mode(path: Path) -> int:
    """Return the type and mode of what is at the path, or where the link leads. 0: it cannot be found out."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0
