"""From a name to a model file: download, check, convert, write the card, check again."""

from pathlib import Path

import onnx
from onnx import ModelProto

from models.conversion import converter
from models.conversion.card import check, with_card
from models.files import has, write_atomically
from models.packages import Packages, check_sum
from models.zoo import TRAINED, Entry
from service.card import Source

PACKAGES = Path("var/packages")
"""Where the files as their makers published them are kept; a second conversion needs no network."""


def pull_model(entry: Entry, path: Path, packages: Packages) -> None:
    """Writes the model's file. Raises DownloadFailed or WrongChecksum, and then leaves what was there as it was."""
    data = with_card(_graph(entry, packages), entry.card)
    check_sum(data, entry.sha256, f"the conversion of {entry.name}")
    write_atomically(path, data)
    check(path)


def _graph(entry: Entry, packages: Packages) -> ModelProto:
    if entry.source is None:
        return onnx.load(TRAINED / f"{entry.name}.onnx")
    return converter(entry.name)(original(entry.source, packages))


def original(source: Source, packages: Packages) -> bytes:
    """The file as its maker published it, kept for the next time. Raises DownloadFailed or WrongChecksum."""
    kept = PACKAGES / Path(source.member).name
    if has(kept, source.sha256):
        return kept.read_bytes()
    data = packages.read(source)
    write_atomically(kept, data)
    return data
