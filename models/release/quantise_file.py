"""A model file -> the same model in float16 or int8. `facenet-models quantise` runs this.

This file chooses faces out of a prepared folder. `quantise.py` decides whether the quantised model is accepted.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from models.conversion.card import read_checked_card
from models.errors import DatasetError, ExportRefused
from models.evaluation.data.identities import read_names
from models.files import write_atomically
from models.release.quantise import ComparedFaces, QuantisationFaces, quantise_float16, quantise_int8
from models.training.data.augmentation import Augmenter
from models.training.data.face_set import FaceSet
from models.training.held_out import load_prepared_faces, make_held_out_faces, split_held_out
from models.training.random_streams import Purpose, random_stream
from models.training.recipes.settings import HELD_OUT_SHARE, SEED
from service.model_files.card import EmbedderCard

CALIBRATION_FACES = 256
"""How many faces the range of each activation is measured on, for int8."""

JUDGED_PEOPLE = 250
"""How many people of the training set decide whether the quantised model is accepted. At most half of the set is taken.

With 54 people, the random error of VAL is about one percentage point. With 250 people, a loss of half a point is larger
than the random error.
"""


@dataclass(frozen=True, slots=True)
class QuantisationRequest:
    """The options of a quantisation.

    number_format: of weights and activations.
    float32_convolutions: how many of the first convolutions stay in float32, for int8.
    people: a file with one name on each line: people that the model was not trained on. None takes the people that the
    recipes hold out.
    command: the command that the user ran, for the card.
    """

    number_format: Literal["fp16", "int8"]
    float32_convolutions: int
    people: Path | None
    command: str


def quantise_file(file: Path, request: QuantisationRequest, data: Path, into: Path) -> Path:
    """Write the quantised model as INTO/NAME-fp16.onnx or INTO/NAME-int8.onnx, and return its path.

    file: of the embedder.
    data: a folder of prepared faces, with people of the training set and people that the model was not trained on.
    Raises InvalidModel or DatasetError. Raises ExportRefused if the quantised model differs too much from its parent.
    """
    faces = _read_faces(file, data, request)
    if request.number_format == "fp16":
        quantised = quantise_float16(file, faces)
    else:
        quantised = quantise_int8(file, faces, request.float32_convolutions)
    path = into / f"{quantised.card.name}.onnx"
    write_atomically(path, quantised.data)
    return path


def _read_faces(file: Path, data: Path, request: QuantisationRequest) -> QuantisationFaces:
    card = read_checked_card(file)
    if not isinstance(card, EmbedderCard):
        raise ExportRefused(f"{file} has the role {card.role}, and only embedders are quantised. Give an embedder.")
    training, unseen, which = _split(load_prepared_faces(data), request.people)
    _require_people(training, unseen)
    rng = random_stream(SEED, Purpose.QUANTISATION)
    people = rng.permutation(np.unique(training.people))
    others, judged = training.split_off(people[: min(JUDGED_PEOPLE, len(people) // 2)])
    canvases = others.canvases[rng.permutation(len(others))[:CALIBRATION_FACES]]
    return QuantisationFaces(
        calibration=Augmenter(others.alignment, card.alignment).augment(canvases, rng),
        judged=_compared_faces(judged, card, "of the training"),
        unseen=_compared_faces(unseen, card, which),
        command=request.command,
    )


def _compared_faces(faces: FaceSet, card: EmbedderCard, which: str) -> ComparedFaces:
    cut = make_held_out_faces(faces, card.alignment, random_stream(SEED, Purpose.EVALUATED_FACES))
    measured_on = f"{len(cut.crops)} faces of {len(np.unique(cut.people))} people {which}"
    return ComparedFaces(cut.crops, cut.people, measured_on)


def _require_people(training: FaceSet, unseen: FaceSet) -> None:
    counts = [len(faces.names_with_faces) for faces in (training, unseen)]
    if min(counts) < 4:  # each group is split into two halves, and a half needs two people
        raise DatasetError(
            "Quantisation needs at least four people of the training set and four other people. There are "
            f"{counts[0]} and {counts[1]}. Prepare the photographs of more people."
        )


def _split(faces: FaceSet, people: Path | None) -> tuple[FaceSet, FaceSet, str]:
    """Return the faces of the training set, the other faces, and a description of the other faces."""
    if people is None:
        return *split_held_out(faces, HELD_OUT_SHARE, SEED), "that the recipes hold out of such a set"
    return *faces.split_named(read_names(people)), "held out of training"
