"""A folder of people, PERSON/PHOTOGRAPH. The photographs are compared with each other."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import DatasetError
from models.evaluation.metrics.clustering import People

IMAGE_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"}
SEED = 20_150_612


@dataclass(frozen=True, slots=True, eq=False)
class Identities:
    """Photographs of people: `files[i]` shows the person `names[people[i]]`.

    people: (n,) int64.
    """

    files: tuple[Path, ...]
    people: People
    names: tuple[str, ...]


def read_identities(folder: Path, max_per_person: int, only: Path | None = None) -> Identities:
    """Draw photographs of each person. The draw is the same in every call.

    max_per_person: how many photographs of a person are drawn at most. So no person has much more weight than the
    others.
    only: a file with one name on each line. All other people in the folder are left out. None takes all people.
    Raises DatasetError if the folder or the file cannot be used.
    """
    photographs = read_people(folder, only)
    names = tuple(photographs)
    rng = np.random.default_rng(SEED)
    drawn = {name: _draw(photographs[name], max_per_person, rng) for name in names}
    return Identities(
        files=tuple(file for name in names for file in drawn[name]),
        people=np.repeat(np.arange(len(names)), [len(drawn[name]) for name in names]),
        names=names,
    )


def list_identities(folder: Path) -> Identities:
    """Return all photographs, in the order of the names of people and files. Raises DatasetError as `read_people`."""
    photographs = read_people(folder)
    return Identities(
        files=tuple(file for files in photographs.values() for file in files),
        people=np.repeat(np.arange(len(photographs)), [len(files) for files in photographs.values()]),
        names=tuple(photographs),
    )


def _draw(photographs: list[Path], count: int, rng: np.random.Generator) -> list[Path]:
    return [photographs[place] for place in sorted(rng.permutation(len(photographs))[:count])]


def read_people(folder: Path, only: Path | None = None) -> dict[str, list[Path]]:
    """Return the photographs of each person by name, in the order of the names.

    only: as for `read_identities`.
    Raises DatasetError if the folder or the file cannot be used.
    """
    photographs = _read_folder(folder)
    names = sorted(photographs) if only is None else _read_listed_names(only, folder, photographs)
    return {name: photographs[name] for name in names}


def _read_folder(folder: Path) -> dict[str, list[Path]]:
    """Return the photographs of everyone who has at least one. Raises DatasetError if nobody has."""
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder. It should hold PERSON/PHOTOGRAPH.jpg.")
    by_name = {person.name: _list_photographs(person) for person in folder.iterdir() if person.is_dir()}
    photographs = {name: files for name, files in by_name.items() if files}
    if not photographs:
        raise DatasetError(f"{folder} holds no photographs of people. It should hold PERSON/PHOTOGRAPH.jpg.")
    return photographs


def _list_photographs(person_folder: Path) -> list[Path]:
    return sorted(file for file in person_folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)


def read_names(file: Path) -> list[str]:
    """Return the names of a list, each once, in ascending order.

    file: UTF-8, with one name on each line.
    Raises DatasetError if it cannot be read.
    """
    try:
        return sorted({line.strip() for line in file.read_text("utf-8").splitlines()} - {""})
    except OSError as error:
        raise DatasetError(
            f"{file} cannot be read ({error.strerror}). Give a file with one name on each line, in UTF-8."
        ) from None
    except UnicodeDecodeError:
        raise DatasetError(f"{file} is not in UTF-8. Give a file with one name on each line, in UTF-8.") from None


def _read_listed_names(only: Path, folder: Path, photographs: dict[str, list[Path]]) -> list[str]:
    """Return the names of the list. Raises DatasetError if it is empty, or if a name has no photograph."""
    names = read_names(only)
    absent = [name for name in names if name not in photographs]
    if absent or not names:
        first = f" The first is {absent[0]}." if absent else ""
        raise DatasetError(f"{len(absent)} of the {len(names)} people of {only} have no photograph in {folder}.{first}")
    return names
