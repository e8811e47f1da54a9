"""Read a folder of people. Each folder in it is a person, and all photographs below that folder are of that person."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

from service.commands.output import printable
from service.commands.photographs.folder_reader import FolderReader, mode_of
from service.commands.photographs.left_out import LeftOut
from service.domain.identifiers import ID_PATTERN


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
    left_out: list[LeftOut]

    @property
    def photographs(self) -> int:
        """How many photographs all people have."""
        return sum(len(person.photographs) for person in self.people)


def read_people(folder: Path) -> PeopleFolder:
    """List the people of a folder, and what is not sent."""
    reader = FolderReader(folder)
    people = []
    for entry in reader.list_folder(folder):
        if not S_ISDIR(mode_of(entry)):
            reader.leave_out(entry, "no_person")
        elif photographs := tuple(reader.photographs_below(entry)):
            people.append(Person(entry, photographs))
        else:
            reader.leave_out(entry, "person_without_face")
    return PeopleFolder(people, reader.left_out)
