"""The card inside a model file: written behind the conversion, checked against the graph whenever a file is touched."""

from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto
from pydantic import ValidationError

from models.conversion.identity import identity
from models.errors import InvalidModel
from models.zoo import read_zoo
from service.card import CARD, Card

KEY = "card"


def with_card(model: ModelProto, fields: dict[str, Any]) -> bytes:
    """The file's bytes, the same for the same model and fields.

    fields: the card without its identity, which is computed here. Raises pydantic.ValidationError.
    """
    card = CARD.validate_python({**fields, "id": identity(model)})
    del model.metadata_props[:]
    model.metadata_props.add(key=KEY, value=card.model_dump_json())
    return model.SerializeToString(deterministic=True)


def check(path: Path) -> Card:
    """The file's card, once its identity is found to be the graph's. Raises InvalidModel."""
    try:
        model = onnx.load(path)
        (text,) = (one.value for one in model.metadata_props if one.key == KEY)
        card = CARD.validate_json(text)
    except FileNotFoundError:
        raise InvalidModel(f"{path} is missing. {_remedy(path)}") from None
    except (OSError, DecodeError, ValueError, ValidationError):
        raise InvalidModel(f"{path} is not an ONNX file with a valid card. {_remedy(path)}") from None
    found = identity(model)
    if found != card.id:
        raise InvalidModel(
            f"{path} was changed after its card was written: the graph's identity is {found[:16]}..., the card says "
            f"{card.id[:16]}... {_remedy(path)}"
        )
    return card


def _remedy(path: Path) -> str:
    """What to do about a file that cannot be used."""
    known = read_zoo().models
    if path.stem in known:
        return f"Run: facenet-models pull {path.stem} --into {path.parent}"
    return f"Give the path of an .onnx file that this project made, or a name of the zoo: {', '.join(known)}."
