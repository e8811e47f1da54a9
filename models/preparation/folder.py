"""FOLDER/PERSON/PHOTOGRAPH: whose photographs are there, and which of them share a shard."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from models.errors import DatasetError

NUMBERED = re.compile(r"(.+)-\d+")
UNNAMED_SOURCE = "photographs"


@dataclass(frozen=True, slots=True)
class Photograph:
    """A file of a person's folder, as it was when the folder was listed.

    size: in bytes. modified_ns: since 1970. Both tell whether a file is still the one that a shard was made of.
    """

    person: str
    name: str
    size: int
    modified_ns: int

    @property
    def file(self) -> str:
        """PERSON/NAME, relative to the folder."""
        return f"{self.person}/{self.name}"

    @property
    def source(self) -> str:
        """Where it was collected: "celeba" of "celeba-017.webp"; "photographs" where the name says nothing."""
        numbered = NUMBERED.fullmatch(Path(self.name).stem)
        return numbered[1] if numbered else UNNAMED_SOURCE


@dataclass(frozen=True, slots=True)
class Folder:
    """Photographs by person, both in the order of their names. A person may have none."""

    path: Path
    people: dict[str, tuple[Photograph, ...]]

    def __len__(self) -> int:
        return sum(map(len, self.people.values()))


@dataclass(frozen=True, slots=True)
class Part:
    """What goes into one shard: all photographs of some people.

    made_of: sha256 over the names, sizes and times of these photographs and of all in the parts before, because
    whether a photograph is a duplicate depends on those.
    """

    name: str
    photographs: tuple[Photograph, ...]
    made_of: str


def read_folder(path: Path) -> Folder:
    """Everything in the people's folders but what is hidden; whether a file is a photograph, its content tells.

    Raises DatasetError where the folder cannot be read, holds no photographs, or has a name that is not UTF-8.
    """
    try:
        people = {one.name: tuple(_photographs(one)) for one in _entries(path) if one.is_dir()}
    except OSError as error:
        raise DatasetError(f"{error.filename} cannot be read ({error.strerror}). Give a readable folder.") from None
    folder = Folder(path, people)
    if not len(folder):
        raise DatasetError(f"{path} holds no photographs. It should hold a folder for each person: PERSON/PHOTOGRAPH.")
    return folder


def _photographs(person: os.DirEntry[str]) -> Iterator[Photograph]:
    for one in _entries(Path(person.path)):
        if not one.is_dir():
            state = one.stat(follow_symlinks=one.is_file())  # of a link to nothing: the link's own
            yield Photograph(person.name, one.name, state.st_size, state.st_mtime_ns)


def _entries(path: Path) -> list[os.DirEntry[str]]:
    with os.scandir(path) as found:
        entries = sorted((one for one in found if not one.name.startswith(".")), key=lambda one: one.name)
    for one in entries:
        _check_name(one)
    return entries


def _check_name(entry: os.DirEntry[str]) -> None:
    """Names go into JSON, which is UTF-8; Linux takes any bytes."""
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        raise DatasetError(f"{entry.path!a} is a name that is not UTF-8. Rename it.") from None


def plan(people: Iterable[tuple[Photograph, ...]], per_shard: int) -> list[Part]:
    """Whole people, in order, until a shard has `per_shard` photographs or more."""
    shards: list[list[Photograph]] = [[]]
    for photographs in filter(None, people):
        if len(shards[-1]) >= per_shard:
            shards.append([])
        shards[-1] += photographs
    state = hashlib.sha256()
    parts = []
    for number, shard in enumerate(shards):
        state.update(repr([(one.file, one.size, one.modified_ns) for one in shard]).encode())
        parts.append(Part(f"faces-{number:05}", tuple(shard), state.hexdigest()))
    return parts
