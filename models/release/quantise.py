"""Quantise a model, compare it with its parent, and write its card. The parent is the model that is quantised.

A quantised model has the inputs and outputs of its parent. It is refused if its embeddings differ too much from those
of its parent, or if it verifies worse. If it is accepted, its embeddings can be compared with those of its parent. Its
card holds the thresholds between the two models.

Different people are used for the decision and for the card:

- People of the training set decide whether the model is accepted. They are many. With many people, a small loss can be
  distinguished from a random difference.
- The figures on the card are measured on people that the network was not trained on. The thresholds between the two
  models are chosen on one half of these people, and the error rates are measured on the other half.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto

from models.calibration.between_models import EmbeddedByBoth, calibrate_between
from models.calibration.thresholds import LabelledEmbeddings, cross_error_rate
from models.conversion import graph
from models.conversion.card import read_checked_card, to_bytes_with_card
from models.errors import ExportRefused
from models.evaluation.embedding.crops import embed_crops
from models.evaluation.metrics.clustering import People
from models.evaluation.metrics.labelled_pairs import REPORTED_FMR, all_pairs
from models.release.candidate import THREADS, open_candidate_bytes, open_candidate_file
from models.release.float16 import round_as_gpu, to_float16
from models.release.int8 import to_int8
from service.domain.face import Crops
from service.model_files.card import BenchmarkResult, CompatibleModel, EmbedderCard
from service.pipeline.embedders.base import Embedder

MAX_VAL_LOSS = 0.005
"""The largest accepted loss of VAL at FMR 1e-3: 0.005 is half a percentage point."""

REFERENCES = 1000
"""How many references the identification threshold between the two models is for. Fewer if there are fewer people."""

FPIR = 0.01
"""The FPIR of the identification threshold between the two models."""


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """A format of weights and activations.

    name: added to the parent's name.
    min_cosine: the smallest accepted mean cosine between the embeddings of the parent and of the quantised model.
    """

    name: str
    min_cosine: float


FLOAT16 = NumberFormat("fp16", 0.999)
INT8 = NumberFormat("int8", 0.99)


@dataclass(frozen=True, slots=True, eq=False)
class ComparedFaces:
    """Faces that the quantised model and its parent are compared on.

    crops: (n, h, w, 3) uint8, as the parent's card requires.
    people: (n,) int64.
    measured_on: a description of the faces, for the card.
    """

    crops: Crops
    people: People
    measured_on: str


@dataclass(frozen=True, slots=True, eq=False)
class QuantisationFaces:
    """The faces that a quantised model is made and measured with.

    calibration: (n, h, w, 3) uint8, a few hundred crops of any people. For int8, the range of each activation is
    measured on them.
    judged: of other people of the training set. They decide whether the model is accepted.
    unseen: of people that the network was not trained on. The figures on the card are measured on them.
    command: the command that the user ran, for the card.
    """

    calibration: Crops
    judged: ComparedFaces
    unseen: ComparedFaces
    command: str


@dataclass(frozen=True, slots=True, eq=False)
class QuantisedModel:
    """An accepted model. data: the bytes of its file."""

    data: bytes
    card: EmbedderCard


def quantise_float16(path: Path, faces: QuantisationFaces) -> QuantisedModel:
    """Convert the graph to float16. It is measured with the rounding of a GPU (`float16.py`).

    path: the file of an embedder.
    Raises ExportRefused if the quantised model differs too much from its parent. Raises InvalidModel or ModelFileError
    if the file is not an embedder. Raises DatasetError if there are too few people.
    """
    parent = onnx.load(path).graph
    nodes, weights = to_float16(parent.node, graph.initializers(parent))
    model = graph.build(parent.name, nodes, weights, parent.input, parent.output)
    measured = graph.build(parent.name, *round_as_gpu(nodes, weights), parent.input, parent.output)
    return _Comparison(path, FLOAT16, model, measured).accept(faces)


def quantise_int8(path: Path, faces: QuantisationFaces, float32_convolutions: int = 1) -> QuantisedModel:
    """Convert weights and activations to 8 bits (`int8.py`).

    path: the file of an embedder.
    float32_convolutions: how many of the first convolutions stay in float32. Depthwise convolutions always do. If the
    model is refused, a larger number may help, but the model is slower.
    Raises the same errors as `quantise_float16`.
    """
    quantised = to_int8(path, faces.calibration, float32_convolutions)
    name = onnx.load(path).graph.name
    model = graph.build(name, quantised.node, graph.initializers(quantised), quantised.input, quantised.output)
    return _Comparison(path, INT8, model, model).accept(faces)


@dataclass(frozen=True, slots=True)
class _Figures:
    """The comparison of the two models.

    cosine: between the embeddings of the two models, the mean over the faces.
    parent_val, quantised_val: VAL of each model at FMR 1e-3.
    """

    cosine: float
    parent_val: float
    quantised_val: float

    @property
    def val_loss(self) -> float:
        return self.parent_val - self.quantised_val


@dataclass(frozen=True, slots=True, eq=False)
class _Comparison:
    """A quantised model and the file of its parent.

    path: the file of the parent.
    model: the model that is written.
    measured: a model that computes on a CPU what `model` computes on its own device.
    """

    path: Path
    format: NumberFormat
    model: ModelProto
    measured: ModelProto

    def accept(self, faces: QuantisationFaces) -> QuantisedModel:
        """Return the model with its card. Raises ExportRefused if it differs too much from its parent."""
        read_checked_card(self.path)
        parent = open_candidate_file(self.path)
        fields = _inherit_card(parent.card, self.format)
        quantised = open_candidate_bytes(to_bytes_with_card(self.measured, fields))
        judged = _embed_by_both(parent, quantised, faces.judged)
        _require_small_loss(_measure(judged), self.format, quantised.card.name)
        unseen = _embed_by_both(parent, quantised, faces.unseen)
        fields |= _measured_fields(parent.card, unseen, faces.command)
        data = to_bytes_with_card(self.model, fields)
        return QuantisedModel(data, open_candidate_bytes(data).card)


def _inherit_card(parent: EmbedderCard, number_format: NumberFormat) -> dict[str, Any]:
    """Return the parent's card without its measured figures.

    The thresholds stay, because an accepted model differs too little to need others.
    """
    kept = parent.model_dump(exclude={"id", "results", "error_rates", "compatible_with"})
    chosen_on = f"those of {parent.name}. {parent.thresholds.chosen_on}".strip()
    return kept | {
        "name": f"{parent.name}-{number_format.name}",
        "training": f"{parent.training}; {parent.name} quantised to {number_format.name}",
        "thresholds": kept["thresholds"] | {"chosen_on": chosen_on},
    }


def _embed_by_both(parent: Embedder, quantised: Embedder, faces: ComparedFaces) -> EmbeddedByBoth:
    by_parent, by_quantised = (
        LabelledEmbeddings(embed_crops(embedder, faces.crops, THREADS), faces.people, 0)
        for embedder in (parent, quantised)
    )
    return EmbeddedByBoth(by_parent, by_quantised, faces.measured_on)


def _measure(both: EmbeddedByBoth) -> _Figures:
    cosines = np.einsum("nd,nd->n", both.old.embeddings, both.new.embeddings)
    return _Figures(float(cosines.mean()), _val(both.old), _val(both.new))


def _val(faces: LabelledEmbeddings) -> float:
    """Return VAL over all pairs of faces. With all pairs, the random difference between two models is smallest."""
    return all_pairs(faces.embeddings, faces.people).val_at_fmr()


def _require_small_loss(figures: _Figures, number_format: NumberFormat, name: str) -> None:
    """Raise ExportRefused if the model differs too much from its parent. A cosine of NaN is refused too."""
    if not (figures.cosine >= number_format.min_cosine and figures.val_loss <= MAX_VAL_LOSS):
        raise ExportRefused(
            f"{name} has a mean cosine of {figures.cosine:.4f} to its parent (at least {number_format.min_cosine} is "
            f"needed) and loses {100 * figures.val_loss:.2f} percentage points of VAL at FMR {REPORTED_FMR:g} (at most "
            f"{100 * MAX_VAL_LOSS:g} is allowed). Nothing was written. Use the parent."
        )


def _measured_fields(parent: EmbedderCard, unseen: EmbeddedByBoth, command: str) -> dict[str, Any]:
    """Return the fields of the quantised model's card that are measured."""
    chosen, measured = unseen.split_people()
    references = min(REFERENCES, len(np.unique(chosen.new.people)) - 1)
    entry = calibrate_between(parent, chosen, measured, references, FPIR)
    figures = _measure(unseen)
    values = {
        f"mean cosine to {parent.name}": figures.cosine,
        f"VAL at FMR {REPORTED_FMR:g}": figures.quantised_val,
        f"VAL at FMR {REPORTED_FMR:g} of {parent.name}": figures.parent_val,
    }
    return {
        "results": tuple(
            BenchmarkResult(benchmark=f"{unseen.measured_on}, {figure}", value=round(value, 4), command=command)
            for figure, value in values.items()
        ),
        "error_rates": (cross_error_rate(unseen.new, unseen.new, parent.thresholds.verification, unseen.measured_on),),
        "compatible_with": (_with_lower_identification_threshold(entry, parent),),
    }


def _with_lower_identification_threshold(entry: CompatibleModel, parent: EmbedderCard) -> CompatibleModel:
    """Return the entry with the parent's own identification threshold, if that threshold is lower.

    The parent's threshold may be for more references than there are unseen people. In a larger gallery, the threshold
    of a small gallery would give too many false positives.
    """
    own, measured = parent.thresholds.identification, entry.thresholds.identification
    if own is None or measured is None or measured.threshold_sq_l2 <= own.threshold_sq_l2:
        return entry
    return entry.model_copy(update={"thresholds": entry.thresholds.model_copy(update={"identification": own})})
