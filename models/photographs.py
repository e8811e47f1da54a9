"""Photographs of the demo and the tests: out of packages, into a folder of identities."""

from collections.abc import Callable, Mapping
from pathlib import Path

from models.files import has, write_atomically
from models.packages import Packages
from service.card import Source


def missing_photographs(photographs: Mapping[str, Source], folder: Path) -> dict[str, Source]:
    """Those of PERSON/FILE that are not in the folder as the zoo knows them."""
    return {name: source for name, source in photographs.items() if not has(folder / name, source.sha256)}


def pull_photographs(
    photographs: Mapping[str, Source], folder: Path, packages: Packages, done: Callable[[], object]
) -> None:
    """Writes each as folder/PERSON/FILE. `done` is called after each. Raises DownloadFailed or WrongChecksum."""
    for name, source in photographs.items():
        write_atomically(folder / name, packages.read(source))
        done()
