"""An embedder's file in fewer bits: float16 for a GPU, int8 for a processor. The contract of the file stays.

A file that embeds otherwise than its parent, or verifies worse, is refused; both are measured on people whom the
network was not trained on. What passes may be compared with its parent's embeddings, and its card says how.

Int8 is static: every activation has one scale, taken from real faces, and every channel of a kernel one of its own.
Depthwise convolutions and the first of the others stay float32: they are few multiply-adds, and their channels differ
too much for one scale. (SFace keeps a mean cosine of 0.996 so, and of 0.985 with all of its convolutions in int8.)
Processors with 8-bit dot products (VNNI) compute it as it was measured; older ones may cut large sums short.
"""

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as in service/model_file.py: read when ONNX Runtime is imported

import numpy as np
import onnx
import onnxruntime as ort
from onnx import GraphProto, ModelProto
from onnxruntime.quantization import CalibrationMethod, QuantType, quantize_static

from models.calibration import Faces, error_rate
from models.candidate import THREADS, open_candidate, open_embedder
from models.conversion import graph
from models.conversion.card import check, with_card
from models.cross_calibration import Both, compatible
from models.errors import ExportRefused
from models.evaluation.clustering import People
from models.evaluation.crops import embed
from models.evaluation.metrics import FAR
from models.evaluation.verification import pairs
from models.float16 import halved, rounded
from service.card import EmbedderCard, Result
from service.domain import Crops
from service.embedders.base import Embedder

MAX_VAL_LOSS = 0.005
"""Of VAL at FMR 1e-3, as a share of the pairs of one person."""

INTEGER_OPERATIONS = ("Conv", "Gemm", "MatMul", "Relu", "MaxPool", "Concat")
"""Sums stay float32, and so does what squares its numbers, such as L2 pooling."""

PERCENTILE = 99.999
"""Of an activation's numbers, which its scale spans; the rest is cut.

Chosen by the mean cosines of `compact` and SFace, 0.9992 and 0.9957. With the extremes of all faces (MinMax; Entropy is
no better) they are 0.9991 and 0.992, with the mean of each face's extremes 0.9969 and 0.9963, at 99.99 0.9988 and
0.9940.
"""

REFERENCES = 1000
FPIR = 0.01
"""Of the threshold for identification between the two, where so many people are at hand."""


@dataclass(frozen=True, slots=True)
class Format:
    """name: behind the parent's. min_cosine: the least mean cosine between the embeddings of the two."""

    name: str
    min_cosine: float


FLOAT16 = Format("fp16", 0.999)
INT8 = Format("int8", 0.99)


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Faces of people whom the network was not trained on.

    crops: (n, h, w, 3) uint8, as the parent's card has them. people: (n,) int64. measured_on, command: for the card,
    what the faces are and what was called.
    """

    crops: Crops
    people: People
    measured_on: str
    command: str


@dataclass(frozen=True, slots=True, eq=False)
class Quantised:
    """A file that passed. data: what is to be written."""

    data: bytes
    card: EmbedderCard


def quantise_float16(path: Path, held_out: HeldOut) -> Quantised:
    """The weights and all that lies between them in float16, measured with the roundings of a GPU (`float16.py`).

    path: an embedder's file. Raises ExportRefused; InvalidModel or ModelFileError for another file; DatasetError where
    the people are too few.
    """
    whole = onnx.load(path).graph
    nodes, weights = halved(whole.node, graph.weights_of(whole))
    model = graph.build(whole.name, nodes, weights, whole.input, whole.output)
    measured = graph.build(whole.name, *rounded(nodes, weights), whole.input, whole.output)
    return _Trial(path, FLOAT16, model, measured).judged(held_out)


def quantise_int8(path: Path, faces: Crops, held_out: HeldOut, first: int = 1) -> Quantised:
    """Weights and activations in 8 bits. faces: (n, h, w, 3) uint8, a few hundred, of which the scales are taken.

    first: how many of the first convolutions stay float32, depthwise ones not counted. With more of them a file that
    is refused may pass, and is slower.

    path, raises: as for `quantise_float16`.
    """
    with TemporaryDirectory() as folder, _silent():
        folded, quantised = Path(folder) / "folded.onnx", Path(folder) / "quantised.onnx"
        _fold(path, folded)
        quantize_static(
            folded,
            quantised,
            _Reader(faces),
            op_types_to_quantize=INTEGER_OPERATIONS,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_in_float32(onnx.load(folded).graph, first),
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": PERCENTILE, "CalibStridedMinMax": 1},
        )
        whole = onnx.load(quantised).graph
    name = onnx.load(path).graph.name
    model = graph.build(name, whole.node, graph.weights_of(whole), whole.input, whole.output)
    return _Trial(path, INT8, model, model).judged(held_out)


def _fold(path: Path, to: Path) -> None:
    """Writes the graph after the optimisations that need no machine: batch normalisation goes into convolutions."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(to)
    ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _in_float32(whole: GraphProto, first: int) -> list[str]:
    """The names of the first convolutions and of the depthwise ones."""
    convolutions = [node for node in whole.node if node.op_type == "Conv"]
    depthwise = [node.name for node in convolutions if any(one.name == "group" and one.i > 1 for one in node.attribute)]
    others = [node.name for node in convolutions if node.name not in depthwise]
    return [*others[:first], *depthwise]


class _Reader:
    """Faces one by one, as ONNX Runtime's calibration asks for them."""

    def __init__(self, faces: Crops) -> None:
        self._faces = faces
        self._rows = iter(range(len(faces)))

    def __len__(self) -> int:
        return len(self._faces)

    def set_range(self, start_index: int, end_index: int) -> None:
        """The faces that come next: with a stride of 1 no more than one face's numbers are kept."""
        self._rows = iter(range(start_index, end_index))

    def get_next(self) -> dict[str, Crops]:
        """Nothing, at the end."""
        row = next(self._rows, None)
        return {} if row is None else {"crops": self._faces[row : row + 1]}


@contextmanager
def _silent() -> Iterator[None]:
    """The quantiser prints, and speaks to the root logger, which it sets up where nobody did."""
    nothing = logging.NullHandler()
    logging.getLogger().addHandler(nothing)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.getLogger().removeHandler(nothing)


@dataclass(frozen=True, slots=True)
class _Figures:
    """cosine: the mean over the faces, of the two embeddings of each. VAL at FMR 1e-3, of each model with itself."""

    cosine: float
    parent_val: float
    child_val: float

    @property
    def val_loss(self) -> float:
        return self.parent_val - self.child_val


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """What may become a file, beside its parent. measured: a model that gives the embeddings of `model` on its device.

    path: the parent's file.
    """

    path: Path
    format: Format
    model: ModelProto
    measured: ModelProto

    def judged(self, held_out: HeldOut) -> Quantised:
        """With its card. Raises ExportRefused."""
        check(self.path)
        parent = open_embedder(self.path)
        fields = _inherited(parent.card, self.format)
        child = open_candidate(with_card(self.measured, fields))
        both = Both(_embedded(parent, held_out), _embedded(child, held_out), held_out.measured_on)
        figures = _compared(both)
        _require(figures, self.format, child.card.name)
        data = with_card(self.model, fields | _measured(parent.card, both, figures, held_out))
        return Quantised(data, open_candidate(data).card)


def _inherited(parent: EmbedderCard, new: Format) -> dict[str, Any]:
    """The parent's card without what was measured of it. Its thresholds stay, for so small a change keeps them."""
    kept = parent.model_dump(exclude={"id", "results", "error_rates", "compatible_with"})
    chosen_on = f"those of {parent.name}. {parent.thresholds.chosen_on}".strip()
    return kept | {
        "name": f"{parent.name}-{new.name}",
        "training": f"{parent.training}; {parent.name} quantised to {new.name}",
        "thresholds": kept["thresholds"] | {"chosen_on": chosen_on},
    }


def _embedded(embedder: Embedder, held_out: HeldOut) -> Faces:
    return Faces(embed(embedder, held_out.crops, THREADS), held_out.people, 0)


def _compared(both: Both) -> _Figures:
    cosines = np.einsum("nd,nd->n", both.old.embeddings, both.new.embeddings)
    return _Figures(float(cosines.mean()), _val(both.old), _val(both.new))


def _val(faces: Faces) -> float:
    """Over every pair of faces: half a point is soon within chance, and the more pairs the less."""
    return pairs(faces.embeddings, faces.people).val


def _require(figures: _Figures, new: Format, name: str) -> None:
    """A cosine that is no number is refused too."""
    if not (figures.cosine >= new.min_cosine and figures.val_loss <= MAX_VAL_LOSS):
        raise ExportRefused(
            f"{name} has a mean cosine of {figures.cosine:.4f} to its parent and loses {100 * figures.val_loss:.2f} "
            f"points of VAL at FMR {FAR:g}; at least {new.min_cosine} and at most {100 * MAX_VAL_LOSS:g} are allowed. "
            "Nothing was written; keep the parent."
        )


def _measured(parent: EmbedderCard, both: Both, figures: _Figures, held_out: HeldOut) -> dict[str, Any]:
    """What the card says of the two."""
    references = min(REFERENCES, len(np.unique(held_out.people)) - 1)
    values = {
        f"mean cosine to {parent.name}": figures.cosine,
        f"VAL at FMR {FAR:g}": figures.child_val,
        f"VAL at FMR {FAR:g} of {parent.name}": figures.parent_val,
    }
    return {
        "results": tuple(
            Result(benchmark=f"{held_out.measured_on}, {what}", value=round(value, 4), command=held_out.command)
            for what, value in values.items()
        ),
        "error_rates": (error_rate(both.new, both.new, parent.thresholds.verification, held_out.measured_on),),
        "compatible_with": (compatible(parent, both, references, FPIR),),
    }
