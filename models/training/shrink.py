"""From a model file to one in fewer bits, with the faces of a prepared set: `quantise.py` says what passes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from models.augmentation import PLAIN, Views
from models.conversion.card import check
from models.errors import ExportRefused
from models.evaluation.identities import read_names
from models.files import write_atomically
from models.quantise import HeldOut, quantise_float16, quantise_int8
from models.training.held_out import divided, held_out, prepared
from models.training.recipes import HELD_OUT, SEED
from service.card import EmbedderCard
from service.domain import Crops

CALIBRATION = 256
"""Faces that show how far activations reach."""


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """Crops of a prepared set, as a model takes them: some to calibrate with, and those of the people held out."""

    calibration: Crops
    held_out: HeldOut


@dataclass(frozen=True, slots=True)
class Shrinking:
    """What was asked for. first: of int8, how many of the first convolutions stay float32. command: for the card.

    only: a file of names, one a line: the people whom the model was not trained on.
    """

    to: Literal["fp16", "int8"]
    first: int
    only: Path | None
    command: str


def shrink(file: Path, asked: Shrinking, data: Path, into: Path) -> Path:
    """Writes INTO/NAME-fp16.onnx or NAME-int8.onnx.

    It is measured on the people whom the model was not trained on: those who are named, or those of this set whom the
    recipes hold out. Raises ExportRefused, InvalidModel or DatasetError.
    """
    judge = _judge(file, data, asked)
    if asked.to == "fp16":
        passed = quantise_float16(file, judge.held_out)
    else:
        passed = quantise_int8(file, judge.calibration, judge.held_out, asked.first)
    path = into / f"{passed.card.name}.onnx"
    write_atomically(path, passed.data)
    return path


def _judge(file: Path, data: Path, asked: Shrinking) -> Judge:
    card = check(file)
    if not isinstance(card, EmbedderCard):
        raise ExportRefused(f"{file} is of the role {card.role}; only embedders are quantised.")
    faces = prepared(data)
    if asked.only is None:
        (trained_on, others), kept_apart = divided(faces, HELD_OUT, SEED), "whom the recipes hold out of such a set"
    else:
        (trained_on, others), kept_apart = faces.named(read_names(asked.only)), "held out of training"
    views, rng = Views(trained_on.alignment, card.alignment, PLAIN), np.random.default_rng(SEED)
    some = views.draw(trained_on.canvases[rng.permutation(len(trained_on))[:CALIBRATION]], rng)
    apart = held_out(others, card.alignment, rng)
    who = f"{len(apart.crops)} faces of {len(np.unique(apart.people))} people {kept_apart}"
    return Judge(some, HeldOut(apart.crops, apart.people, who, asked.command))
