"""A folder of identities, PERSON/PHOTOGRAPH: whose photographs are compared with each other."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import DatasetError
from models.evaluation.clustering import People

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"}
SEED = 20_150_612


@dataclass(frozen=True, slots=True, eq=False)
class Identities:
    """Photographs of people: file i shows person `names[people[i]]`. people: (n,) int64."""

    files: tuple[Path, ...]
    people: People
    names: tuple[str, ...]


def read_identities(folder: Path, most: int, only: Path | None = None) -> Identities:
    """At most `most` photographs of each person, always the same ones, so that nobody outvotes the others.

    only: a file of names, one a line; the people that count, where the folder holds more. Raises DatasetError where
    the folder or the file is not as it should be.
    """
    there = read_people(folder, only)
    names = tuple(there)
    rng = np.random.default_rng(SEED)
    drawn = {name: [there[name][i] for i in sorted(rng.permutation(len(there[name]))[:most])] for name in names}
    return Identities(
        files=tuple(file for name in names for file in drawn[name]),
        people=np.repeat(np.arange(len(names)), [len(drawn[name]) for name in names]),
        names=names,
    )


def read_people(folder: Path, only: Path | None = None) -> dict[str, list[Path]]:
    """Everybody's photographs by their names, in the order of the names. only, raises: as `read_identities`."""
    there = _people(folder)
    names = sorted(there) if only is None else _listed(only, folder, there)
    return {name: there[name] for name in names}


def _people(folder: Path) -> dict[str, list[Path]]:
    """The photographs of everybody who has one."""
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder. It should hold PERSON/PHOTOGRAPH.jpg.")
    people = {one.name: _photographs(one) for one in folder.iterdir() if one.is_dir()}
    seen = {name: files for name, files in people.items() if files}
    if not seen:
        raise DatasetError(f"{folder} holds no photographs of people. It should hold PERSON/PHOTOGRAPH.jpg.")
    return seen


def _photographs(person: Path) -> list[Path]:
    """The photographs in a person's folder, by their names."""
    return sorted(one for one in person.iterdir() if one.suffix.lower() in SUFFIXES)


def read_names(file: Path) -> list[str]:
    """The names of a list, one a line, ascending and each once. Raises DatasetError for what is none."""
    try:
        return sorted({line.strip() for line in file.read_text("utf-8").splitlines()} - {""})
    except OSError as error:
        raise DatasetError(f"{file} cannot be read ({error.strerror}). Give a list of names, one a line.") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{file} is not a list of names, one a line, in UTF-8.") from None


def _listed(only: Path, folder: Path, there: dict[str, list[Path]]) -> list[str]:
    names = read_names(only)
    absent = [name for name in names if name not in there]
    if absent or not names:
        first = f", the first is {absent[0]}" if absent else ""
        raise DatasetError(f"{len(absent)} of the {len(names)} people of {only} have no photograph in {folder}{first}.")
    return names
