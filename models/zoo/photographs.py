"""The photographs of the demo and the tests. They are downloaded into a folder of people: FOLDER/PERSON/FILE."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import TypeAdapter

from models.files import has_sha256, write_atomically
from models.zoo.packages import Packages
from service.model_files.card import PackageSource

PHOTOGRAPHS = Path(__file__).with_name("photographs.toml")

_SOURCES = TypeAdapter(dict[str, PackageSource])


def read_photographs() -> dict[str, PackageSource]:
    """Read the source of each known photograph, by PERSON/FILE."""
    return _SOURCES.validate_python(tomllib.loads(PHOTOGRAPHS.read_text("utf-8")))


def missing_photographs(photographs: Mapping[str, PackageSource], folder: Path) -> dict[str, PackageSource]:
    """Return the photographs that are missing in the folder, or have other content there."""
    return {name: source for name, source in photographs.items() if not has_sha256(folder / name, source.sha256)}


def pull_photographs(
    photographs: Mapping[str, PackageSource], folder: Path, packages: Packages, done: Callable[[], object]
) -> None:
    """Download each photograph to `folder`/PERSON/FILE.

    done: called after each photograph.
    Raises DownloadFailed or WrongChecksum.
    """
    for name, source in photographs.items():
        write_atomically(folder / name, packages.read(source))
        done()
