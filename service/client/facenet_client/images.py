"""What can be sent as an image: a photograph in many forms, or something enrolled, or an embedding.

NumPy and Pillow are not imported. Their objects are recognised by what they have.
"""

import base64
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from facenet_client.png import COMPRESSION, Array, encode_png
from facenet_client.schemas import EmbeddingImage, FaceImage, SubjectImage

FILE_NAME = "photograph"
"""The name that is sent with each file. The real names stay here: they can name people."""

ORIENTATION = 0x0112
"""The tag of EXIF that says how a photograph is turned."""

UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""For each orientation of EXIF, the number of the `Image.Transpose` of Pillow that turns a photograph upright."""


@runtime_checkable
class Readable(Protocol):
    """A file that is opened for reading bytes."""

    def read(self) -> bytes:
        """Return the bytes that are left."""
        ...


@runtime_checkable
class PillowImage(Protocol):
    """An `Image` of Pillow."""

    def getexif(self) -> Any:  # noqa: ANN401  # a class of Pillow
        """Return the EXIF data, as a mapping."""
        ...

    def transpose(self, method: Any, /) -> Any:  # noqa: ANN401
        """Turn or mirror the picture."""
        ...

    def convert(self, mode: str, /) -> Any:  # noqa: ANN401
        """Change the mode."""
        ...


Photograph = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable | Array | PillowImage
"""A path, the bytes of a file, an open file, an array of pixels (RGB, uint8), or an image of Pillow."""

Image = Photograph | EmbeddingImage | FaceImage | SubjectImage
"""A photograph, or what the service has of one."""


def image_fields(**images: Image) -> dict[str, Any]:
    """Return a body with one image in each field, as a part of a call."""
    if all(_is_photograph(image) for image in images.values()):
        return {"files": [_file_part(name, image) for name, image in images.items()]}
    return {"json": {name: _to_json(image) for name, image in images.items()}}


def image_list(images: Sequence[Image]) -> dict[str, Any]:
    """Return a body with a list of images, as a part of a call. Raises ValueError for an empty list."""
    if not images:
        raise ValueError("Give at least one image.")
    if all(_is_photograph(image) for image in images):
        return {"files": [_file_part("images", image) for image in images]}
    return {"json": {"images": [_to_json(image) for image in images]}}


def read_photograph(photograph: Photograph) -> bytes:
    """Return the bytes of a file with the photograph.

    An array becomes a PNG. So does an image of Pillow, which is turned upright first.
    Raises TypeError, ValueError for an array of another form, and OSError for a file that cannot be read.
    """
    if isinstance(photograph, str | os.PathLike):
        return Path(photograph).read_bytes()
    if isinstance(photograph, bytes | bytearray | memoryview):
        return bytes(photograph)
    if isinstance(photograph, PillowImage):
        return _encode_pillow(photograph)
    if isinstance(photograph, Readable):
        return _read_file(photograph)
    if isinstance(photograph, Array):
        return encode_png(photograph)
    raise TypeError(
        "A photograph is a path, bytes, a file opened with 'rb', an array of NumPy or an image of Pillow, not "
        f"{type(photograph).__name__}. Several photographs are arguments of their own: embed(*photographs)."
    )


def _is_photograph(image: Image) -> bool:
    return not isinstance(image, EmbeddingImage | FaceImage | SubjectImage)


def _file_part(field: str, image: Any) -> tuple[str, tuple[str, bytes]]:  # noqa: ANN401  # it is a photograph
    return field, (FILE_NAME, read_photograph(image))


def _to_json(image: Image) -> dict[str, Any]:
    if isinstance(image, EmbeddingImage | FaceImage | SubjectImage):
        return image.model_dump()
    return {"base64": base64.b64encode(read_photograph(image)).decode()}


def _read_file(file: Readable) -> bytes:
    data = file.read()
    if not isinstance(data, bytes):
        raise TypeError(f"Reading the file gave {type(data).__name__}, not bytes. Open a photograph with 'rb'.")
    return data


def _encode_pillow(image: PillowImage) -> bytes:
    method = UPRIGHT.get(image.getexif().get(ORIENTATION))
    upright = image if method is None else image.transpose(method)
    file = io.BytesIO()
    upright.convert("RGB").save(file, "PNG", compress_level=COMPRESSION)
    return file.getvalue()
