"""Other people's model files -> the one contract of `service/model_file.py`: uint8 in, unit vectors out, a card.

A converter takes the bytes of the file that the zoo names and returns a model without a card. To add one, write
`models/conversion/<name>.py` with `convert`, and a line here.
"""

from collections.abc import Callable
from pkgutil import resolve_name
from typing import TypeAlias, cast

from onnx import ModelProto

Converter: TypeAlias = Callable[[bytes], ModelProto]

CONVERTERS = {
    "sface": "models.conversion.sface:convert",
    "yunet": "models.conversion.yunet:convert",
    "onet": "models.conversion.onet:convert",
    "facenet": "models.conversion.facenet:convert",
}


def converter(name: str) -> Converter:
    """The converter of the zoo's model `name`."""
    return cast("Converter", resolve_name(CONVERTERS[name]))
