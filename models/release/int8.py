"""A graph in float32 -> the same graph in int8, for a CPU.

The quantisation is static. Each activation has one scale, which is measured on real faces. In the weights, each output
channel has its own scale. The depthwise convolutions and the first of the other convolutions stay in float32. They have
few of the multiply-adds, and the ranges of their channels differ too much for one scale. With them in float32, the mean
cosine of SFace to its parent is 0.996. With all convolutions in int8 it is 0.985.

The measurement here holds for CPUs with 8-bit dot products (VNNI). Older CPUs may saturate large sums.
"""

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

# ONNX Runtime reads this variable when it is imported. service/model_files/model_file.py sets it too.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnx
import onnxruntime as ort
from onnx import GraphProto
from onnxruntime.quantization import CalibrationMethod, QuantType, quantize_static

from service.domain.face import Crops

INTEGER_OPERATIONS = ("Conv", "Gemm", "MatMul", "Relu", "MaxPool", "Concat")
"""The operations that are computed in int8. Additions, and operations that square their inputs, stay in float32."""

PERCENTILE = 99.999
"""The share of an activation's numbers that its scale covers, in percent. Larger numbers are clipped.

It was chosen by the mean cosine of the quantised model to its parent:

    the scale covers                                        compact    SFace
    99.999 % of the numbers                                 0.9992     0.9957
    99.99 % of the numbers                                  0.9988     0.9940
    the extremes of all faces (MinMax; Entropy is equal)    0.9991     0.992
    the mean of the extremes of each face                   0.9969     0.9963
"""


def to_int8(path: Path, faces: Crops, float32_convolutions: int) -> GraphProto:
    """Return the graph of a model file in int8.

    faces: (n, h, w, 3) uint8, a few hundred. The range of each activation is measured on them.
    float32_convolutions: how many of the first convolutions stay in float32. Depthwise convolutions always do.
    """
    with TemporaryDirectory() as folder, _silent_quantiser():
        folded, quantised = Path(folder) / "folded.onnx", Path(folder) / "quantised.onnx"
        _fold(path, folded)
        quantize_static(
            folded,
            quantised,
            _CalibrationReader(faces),
            op_types_to_quantize=INTEGER_OPERATIONS,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_names_in_float32(onnx.load(folded).graph, float32_convolutions),
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": PERCENTILE, "CalibStridedMinMax": 1},
        )
        return onnx.load(quantised).graph


def _fold(path: Path, to: Path) -> None:
    """Write the graph after ONNX Runtime's optimisations that hold on every CPU. They fold batch normalisation."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(to)
    ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _names_in_float32(graph: GraphProto, float32_convolutions: int) -> list[str]:
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    depthwise = [
        node.name
        for node in convolutions
        if any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)
    ]
    dense = [node.name for node in convolutions if node.name not in depthwise]
    return [*dense[:float32_convolutions], *depthwise]


class _CalibrationReader:
    """Gives faces to the calibration of ONNX Runtime, one at a time. The names of the methods are ONNX Runtime's."""

    def __init__(self, faces: Crops) -> None:
        self._faces = faces
        self._rows = iter(range(len(faces)))

    def __len__(self) -> int:
        return len(self._faces)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Set which faces come next. With a stride of 1, only the activations of one face are in memory."""
        self._rows = iter(range(start_index, end_index))

    def get_next(self) -> dict[str, Crops]:
        """Return the next face, or an empty dictionary after the last one."""
        row = next(self._rows, None)
        return {} if row is None else {"crops": self._faces[row : row + 1]}


@contextmanager
def _silent_quantiser() -> Iterator[None]:
    """Hide what the quantiser prints and logs.

    It logs to the root logger, and configures this logger if it has no handler. So a handler is added first.
    """
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.getLogger().removeHandler(handler)
