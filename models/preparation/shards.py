"""The files of a face set.

    set.json             alignment, people, sources, settings, and the shards with their checksums
    faces-00000.tar ...  shards in the WebDataset format: KEY.webp (or .png, .jpg) is a canvas, KEY.json its origin
    report.json          the dropped photographs and the flagged faces
    parts/               a record and the embeddings of each finished shard; a later run continues from them

Training needs only set.json and the shards.
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
from service.domain.image import Pixels
from service.model_files.card import Alignment, FivePointAlignment

CANVAS_ALIGNMENT = FivePointAlignment(view=(-8, -8, 120, 120), height=128, width=128)
"""The template of 112 px with a border of 8 px on each side, so that training can shift and rotate crops."""

SET_FILE = "set.json"

IMAGE_FORMATS = {"webp": b"RIFF", "png": b"\x89PNG", "jpg": b"\xff\xd8\xff"}
"""The formats of a canvas: the suffix of the file name, and the first bytes of the file."""

Flag = Literal["near_duplicate", "mislabelled"]


class JsonModel(BaseModel):
    """A value that is written as JSON. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FaceOrigin(JsonModel):
    """KEY.json: the person and the photograph of a canvas.

    file: relative to the folder of photographs.
    sha256: of that file.
    """

    person: str
    source: str
    file: str
    sha256: str


class PreparationSettings(JsonModel):
    """All settings that change a canvas. models: the identities of the models that were used, by role."""

    crop: str
    alignment: Alignment
    photographs_per_shard: int
    max_pixels: int
    max_side_px: int
    min_face_px: int
    min_score: float
    models: dict[str, str]


class Shard(JsonModel):
    """A shard: one tar file of faces.

    faces: how many faces it holds.
    flags: the keys of the flagged faces, by flag.
    """

    name: str
    faces: int
    sha256: str
    flags: dict[Flag, tuple[str, ...]]

    def flagged_keys(self, flags: Iterable[Flag]) -> frozenset[str]:
        """Return the keys of the faces with any of these flags."""
        return frozenset(key for flag in flags for key in self.flags.get(flag, ()))


class FaceSetDescription(JsonModel):
    """set.json. people, sources: names in ascending order. Other files number people by their position in `people`."""

    format: Literal[1] = 1
    settings: PreparationSettings
    people: tuple[str, ...]
    sources: tuple[str, ...]
    shards: tuple[Shard, ...]


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An encoded canvas. suffix: of the file name, see `IMAGE_FORMATS`."""

    suffix: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ShardSample:
    """One face of a shard."""

    key: str
    image: EncodedImage
    origin: FaceOrigin


def read_set(folder: Path) -> FaceSetDescription:
    """Read set.json. Raises DatasetError if it is missing or damaged, or if it has another format."""
    file = folder / SET_FILE
    try:
        return FaceSetDescription.model_validate_json(file.read_bytes())
    except OSError as error:
        raise DatasetError(
            f"{file} cannot be read ({error.strerror}). facenet-models prepare writes it when the set is complete."
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise DatasetError(
            f"{file} is damaged or has another format: {field}: {first['msg']}. Run facenet-models prepare again."
        ) from None


def write_json(path: Path, content: JsonModel) -> None:
    """Write the value atomically, one line for each field."""
    write_atomically(path, content.model_dump_json(indent=2).encode() + b"\n")


def pack_shard(samples: Iterable[ShardSample]) -> bytes:
    """Return the bytes of a shard. The same samples give the same bytes, because owners and times are left at zero."""
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


def read_shard(folder: Path, shard: Shard) -> Iterator[ShardSample]:
    """Yield the faces of a shard in order. Raises DatasetError if the file is missing or has another sha256."""
    file = folder / f"{shard.name}.tar"
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DatasetError(f"{file} cannot be read ({error.strerror}). Run facenet-models prepare again.") from None
    if hashlib.sha256(data).hexdigest() != shard.sha256:
        raise DatasetError(
            f"{file} is damaged: its sha256 differs from the one in set.json. Run facenet-models prepare again."
        )
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = ((member.name, data[member.offset_data : member.offset_data + member.size]) for member in tar)
        for (name, image), (_, origin) in zip(files, files, strict=True):  # an image and its origin alternate
            key, suffix = name.split(".")
            yield ShardSample(key, EncodedImage(suffix, image), FaceOrigin.model_validate_json(origin))


def read_pixels(data: bytes) -> Pixels:
    """Decode a canvas to (h, w, 3) uint8 RGB. Returns (0, 0, 3) if OpenCV cannot read it."""
    pixels: MatLike | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    return np.zeros((0, 0, 3), np.uint8) if pixels is None else np.asarray(pixels, np.uint8)
