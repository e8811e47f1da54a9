"""List the photographs of FOLDER/PERSON/PHOTOGRAPH, and plan which of them go into one shard."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from models.errors import DatasetError

NUMBERED_NAME = re.compile(r"(.+)-\d+")
"""The name of a photograph without its suffix: SOURCE-NUMBER."""

UNNAMED_SOURCE = "photographs"


@dataclass(frozen=True, slots=True)
class PhotographFile:
    """A file in the folder of a person, as it was when the folder was listed.

    modified_ns: the time of the last change, in nanoseconds since 1970. If the size or this time changes, the shard of
    the file must be made again.
    """

    person: str
    name: str
    size_bytes: int
    modified_ns: int

    @property
    def file(self) -> str:
        """PERSON/NAME, relative to the folder."""
        return f"{self.person}/{self.name}"

    @property
    def source(self) -> str:
        """The collection that the photograph is from: "celeba" for "celeba-017.webp". The default is "photographs"."""
        numbered = NUMBERED_NAME.fullmatch(Path(self.name).stem)
        return numbered[1] if numbered else UNNAMED_SOURCE


@dataclass(frozen=True, slots=True)
class PeopleFolder:
    """The photographs of each person. People and photographs are in the order of their names.

    A person may have no photographs.
    """

    path: Path
    people: dict[str, tuple[PhotographFile, ...]]

    def __len__(self) -> int:
        return sum(map(len, self.people.values()))


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """The photographs of one shard: all photographs of some people.

    made_of: sha256 over the names, sizes and times of these photographs and of the photographs of all earlier shards.
    Earlier shards count, because a photograph is dropped if it is a duplicate of an earlier one.
    """

    name: str
    photographs: tuple[PhotographFile, ...]
    made_of: str


def read_folder(path: Path) -> PeopleFolder:
    """List every file in the folders of the people, except hidden files.

    Whether a file is a photograph is decided later, by its content.
    Raises DatasetError if the folder cannot be read, holds no photographs, or has a name that is not UTF-8.
    """
    try:
        people = {entry.name: tuple(_photographs(entry)) for entry in _entries(path) if entry.is_dir()}
    except OSError as error:
        raise DatasetError(f"{error.filename} cannot be read ({error.strerror}). Give a readable folder.") from None
    folder = PeopleFolder(path, people)
    if not len(folder):
        raise DatasetError(f"{path} holds no photographs. It should hold a folder for each person: PERSON/PHOTOGRAPH.")
    return folder


def _photographs(person: os.DirEntry[str]) -> Iterator[PhotographFile]:
    for entry in _entries(Path(person.path)):
        if not entry.is_dir():
            # A broken link has no target, so the state of the link itself is read. It is listed for the report.
            state = entry.stat(follow_symlinks=entry.is_file())
            yield PhotographFile(person.name, entry.name, state.st_size, state.st_mtime_ns)


def _entries(path: Path) -> list[os.DirEntry[str]]:
    with os.scandir(path) as scan:
        entries = sorted((entry for entry in scan if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in entries:
        _check_name(entry)
    return entries


def _check_name(entry: os.DirEntry[str]) -> None:
    """Raise DatasetError if the name is not UTF-8. Linux accepts any bytes, but names are written to JSON, in UTF-8."""
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        raise DatasetError(f"The name {entry.path!a} is not in UTF-8. Rename the file.") from None


def plan_shards(people: Iterable[tuple[PhotographFile, ...]], per_shard: int) -> list[ShardPlan]:
    """Fill shards with whole people, in their order. A shard is full when it has `per_shard` photographs or more."""
    shards: list[list[PhotographFile]] = [[]]
    for photographs in filter(None, people):
        if len(shards[-1]) >= per_shard:
            shards.append([])
        shards[-1] += photographs
    digest = hashlib.sha256()
    plans = []
    for number, shard in enumerate(shards):
        digest.update(repr([(file.file, file.size_bytes, file.modified_ns) for file in shard]).encode())
        plans.append(ShardPlan(f"faces-{number:05}", tuple(shard), digest.hexdigest()))
    return plans
