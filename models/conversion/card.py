"""The card inside a model file. It is written after the conversion. A reader checks that it belongs to the graph."""

from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto
from pydantic import ValidationError

from models.conversion.identity import compute_identity
from models.errors import InvalidModel
from models.zoo.catalogue import read_zoo
from service.model_files.card import CARD_ADAPTER, Card
from service.model_files.contents import ForbiddenContents, check_contents
from service.model_files.wire import MalformedMessage

CARD_KEY = "card"
"""The key of the card in the metadata of the file."""


def to_bytes_with_card(model: ModelProto, fields: dict[str, Any]) -> bytes:
    """Return the bytes of the model file. The same model and fields give the same bytes.

    fields: of the card, without the identity, which is computed here.
    Raises pydantic.ValidationError if the fields make no valid card.
    """
    card = CARD_ADAPTER.validate_python({**fields, "id": compute_identity(model)})
    del model.metadata_props[:]
    model.metadata_props.add(key=CARD_KEY, value=card.model_dump_json())
    return model.SerializeToString(deterministic=True)


def read_checked_card(path: Path) -> Card:
    """Return the card of a model file.

    Raises InvalidModel if the file has no valid card, if its graph was changed after the card was written, or if it has
    weights in another file.
    """
    try:
        data = path.read_bytes()
        check_contents(data)
        model = onnx.load_model_from_string(data)
        (text,) = (entry.value for entry in model.metadata_props if entry.key == CARD_KEY)
        card = CARD_ADAPTER.validate_json(text)
    except FileNotFoundError:
        raise InvalidModel(f"{path} is missing. {_remedy(path)}") from None
    except ForbiddenContents as error:
        raise InvalidModel(f"{path} {error}") from None
    except (OSError, MalformedMessage, DecodeError, ValueError, ValidationError):
        raise InvalidModel(f"{path} is not an ONNX file with a valid card. {_remedy(path)}") from None
    actual = compute_identity(model)
    if actual != card.id:
        raise InvalidModel(
            f"{path} was changed after its card was written: the identity of its graph is {actual[:16]}..., and the "
            f"card has {card.id[:16]}... {_remedy(path)}"
        )
    return card


def _remedy(path: Path) -> str:
    known = read_zoo().models
    if path.stem in known:
        return f"Run: facenet-models pull {path.stem} --into {path.parent}"
    return f"Give the path of an .onnx file that this project made, or a name in the catalogue: {', '.join(known)}."
