"""Wrap a published network, compare it with the published file, measure it, and write the model file."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from onnx import ModelProto
from pydantic import ValidationError

from models.conversion.card import to_bytes_with_card
from models.errors import AdoptionRefused
from models.files import write_atomically
from models.release.adoption.convention import PixelConvention
from models.release.adoption.people import MeasuredPeople
from models.release.adoption.published import PublishedNetwork
from models.release.adoption.wrapping import wrap
from models.release.candidate import open_candidate_file
from service.domain.embedding import Embeddings
from service.domain.face import Crops
from service.model_files.card import Alignment, EmbedderCard, first_fault

TOLERANCE = 1e-4
"""The largest allowed difference between two numbers of an embedding."""
COMPARED_CROPS = 5


@dataclass(frozen=True, slots=True)
class Adoption:
    """What is known of the published network. licence, training: in words, for the card."""

    network: PublishedNetwork
    convention: PixelConvention
    alignment: Alignment
    name: str
    licence: str
    training: str


def adopt(adoption: Adoption, people: MeasuredPeople, path: Path) -> EmbedderCard:
    """Write the model file, and return its card.

    Raises AdoptionRefused if the embeddings differ from those of the published file, or if the network hardly tells
    people apart. Raises DatasetError if the folder has too few people. Nothing is then written.
    """
    crops = _noise(adoption.network)
    expected = adoption.network.embed(adoption.convention.apply(crops))
    model = wrap(adoption.network, adoption.convention, expected.shape[1])
    fields = _fields(adoption, expected.shape[1])
    with TemporaryDirectory() as folder:
        candidate = Path(folder) / f"{adoption.name}.onnx"
        candidate.write_bytes(_with_card(model, fields))
        _require_same(candidate, crops, expected)
        fields |= people.measure(candidate)
        data = _with_card(model, fields)
        candidate.write_bytes(data)
        card = open_candidate_file(candidate).card
    write_atomically(path, data)
    return card


def _noise(network: PublishedNetwork) -> Crops:
    """Return crops that differ, (n, h, w, 3) uint8. Any crops show whether two graphs compute the same."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (COMPARED_CROPS, network.height, network.width, 3), np.uint8)


def _fields(adoption: Adoption, dimension: int) -> dict[str, Any]:
    return {
        "role": "embedder",
        "name": adoption.name,
        "architecture": "adopted",
        "licence": adoption.licence,
        "training": adoption.training,
        "dimension": dimension,
        "alignment": adoption.alignment.model_dump(),
    }


def _with_card(model: ModelProto, fields: dict[str, Any]) -> bytes:
    try:
        return to_bytes_with_card(model, fields)
    except ValidationError as error:
        raise AdoptionRefused(f"The card cannot hold {first_fault(error)}.") from None


def _require_same(candidate: Path, crops: Crops, expected: Embeddings) -> None:
    """Raise AdoptionRefused if the new graph computes something else, or if the faces of a batch change each other."""
    embedder = open_candidate_file(candidate)
    for what, actual in (
        ("one face", np.concatenate([embedder.embed(crops[row : row + 1]) for row in range(len(crops))])),
        (f"a batch of {len(crops)} faces", embedder.embed(crops)),
    ):
        difference = float(np.abs(actual - expected).max())
        if not difference <= TOLERANCE:  # false for NaN too
            raise AdoptionRefused(
                f"For {what}, the embeddings differ from those of the published file by {difference:.2g}, and at most "
                f"{TOLERANCE:g} is allowed. Export the network again with a batch of any size, without preprocessing."
            )
