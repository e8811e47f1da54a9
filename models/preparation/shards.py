"""A prepared set on the disk.

    set.json             what the set is: alignment, people, sources, settings, and its shards with their checksums
    faces-00000.tar ...  WebDataset shards: KEY.webp (.png, .jpg), a canvas, and KEY.json, whose face that is
    report.json          what was left out of the set, and what looks wrong in it
    parts/               what preparing goes on from: a record and the embeddings of each shard that is finished

The first two are the set; the rest is not needed to train on it.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from cv2.typing import MatLike
from pydantic import BaseModel, ConfigDict, ValidationError

from models.errors import DatasetError
from models.files import write_atomically
from service.card import Alignment, FivePoint
from service.domain import Pixels

CANVAS = FivePoint(view=(-8, -8, 120, 120), height=128, width=128)
"""The template of 112 px with 8 px more on each side, so that a network's crop can be moved and turned inside."""

SET = "set.json"

SUFFIXES = {"webp": b"RIFF", "png": b"\x89PNG", "jpg": b"\xff\xd8\xff"}
"""What a canvas may be encoded as, and how such a file begins."""

Flag = Literal["near_duplicate", "mislabelled"]


class Written(BaseModel):
    """What is written as JSON: a value, without a field that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Origin(Written):
    """KEY.json: whose face a canvas shows. file: relative to the folder of photographs; sha256: that file's."""

    person: str
    source: str
    file: str
    sha256: str


class Settings(Written):
    """What decides how a canvas looks. models: the identities of those that took part, by role."""

    crop: str
    alignment: Alignment
    photographs_per_shard: int
    max_pixels: int
    max_side_px: int
    min_score: float
    models: dict[str, str]


class Shard(Written):
    """One tar file. faces: how many it holds. flags: the keys of those that look wrong, by how."""

    name: str
    faces: int
    sha256: str
    flags: dict[Flag, tuple[str, ...]]

    def left_out(self, flags: Iterable[Flag]) -> frozenset[str]:
        """The keys with any of these flags."""
        return frozenset(key for flag in flags for key in self.flags.get(flag, ()))


class Description(Written):
    """set.json. people, sources: names in ascending order; a face's number is its name's place."""

    format: Literal[1] = 1
    settings: Settings
    people: tuple[str, ...]
    sources: tuple[str, ...]
    shards: tuple[Shard, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """An encoded canvas and its file name's suffix."""

    suffix: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Sample:
    """One face of a shard."""

    key: str
    image: Stored
    origin: Origin


def read_set(folder: Path) -> Description:
    """Raises DatasetError where the folder holds no finished set, or one of another format."""
    file = folder / SET
    try:
        return Description.model_validate_json(file.read_bytes())
    except OSError as error:
        raise DatasetError(
            f"{file} cannot be read ({error.strerror}). facenet-models prepare writes it when the set is complete."
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise DatasetError(
            f"{file} is of another format or damaged: {where}: {first['msg']}. Run facenet-models prepare again."
        ) from None


def write_json(path: Path, content: Written) -> None:
    """Whole or not at all, a line for each field."""
    write_atomically(path, content.model_dump_json(indent=2).encode() + b"\n")


def pack(samples: Iterable[Sample]) -> bytes:
    """A shard's bytes, the same for the same samples: owners and times are left at zero."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for sample in samples:
            _add(tar, f"{sample.key}.{sample.image.suffix}", sample.image.data)
            _add(tar, f"{sample.key}.json", sample.origin.model_dump_json().encode())
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def read_shard(folder: Path, shard: Shard) -> Iterator[Sample]:
    """The faces of a shard in order. Raises DatasetError where it is missing, or not as the set describes it."""
    file = folder / f"{shard.name}.tar"
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DatasetError(f"{file} cannot be read ({error.strerror}). Run facenet-models prepare again.") from None
    if hashlib.sha256(data).hexdigest() != shard.sha256:
        raise DatasetError(f"{file} is damaged: its sha256 is not the set's. Run facenet-models prepare again.")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = ((member.name, data[member.offset_data : member.offset_data + member.size]) for member in tar)
        for (name, image), (_, origin) in zip(files, files, strict=True):
            key, suffix = name.split(".")
            yield Sample(key, Stored(suffix, image), Origin.model_validate_json(origin))


def read_pixels(data: bytes) -> Pixels:
    """An encoded canvas as (h, w, 3) uint8 RGB; nothing, (0, 0, 3), where OpenCV cannot read it."""
    pixels: MatLike | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    return np.zeros((0, 0, 3), np.uint8) if pixels is None else np.asarray(pixels, np.uint8)
