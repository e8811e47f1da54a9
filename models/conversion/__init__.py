"""Published weights become model files with fixed inputs and outputs, and a card (`service/model_files/card.py`).

pull.py                                   downloads, converts, adds the card, checks
sface.py, facenet.py, yunet.py, onet.py   the converter of one model each
int8/                                     the converter of SFace in 8-bit integers
graph.py                                  what all converters do to a graph
graphdef.py, torch_tensors.py             read files of TensorFlow and PyTorch without these libraries
card.py, identity.py                      the card and the identity of a model

To add a published model to the catalogue:
1. Write `models/conversion/NAME.py`. Its function `convert` takes the bytes of the published file and returns a model
   without a card.
2. Add it to `CONVERTERS` here.
3. Add the table [models.NAME] to `service/model_files/catalogue.toml`: the fields of the card, the source, and any text
   as `sha256`.
4. Run `facenet-models pull NAME`. It fails, and its message has the sha256 of the converted file. Write this sha256
   into the table, and pull again.
"""

from collections.abc import Callable
from pkgutil import resolve_name
from typing import TypeAlias, cast

from onnx import ModelProto

Converter: TypeAlias = Callable[[bytes], ModelProto]
"""Turns the bytes of a published file into a model without a card."""

CONVERTERS = {
    "sface": "models.conversion.sface:convert",
    "yunet": "models.conversion.yunet:convert",
    "onet": "models.conversion.onet:convert",
    "facenet": "models.conversion.facenet:convert",
    "sface-int8": "models.conversion.int8.sface:convert",
}
"""The converter of each model, by the name of the model. A converter is imported when it is needed."""


def find_converter(name: str) -> Converter:
    """Return the converter of the model with this name."""
    return cast("Converter", resolve_name(CONVERTERS[name]))
