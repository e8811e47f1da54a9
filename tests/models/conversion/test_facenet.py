from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.conversion import graphdef
from models.conversion.facenet import convert
from service.domain.face import Crops
from service.model_files.card import EmbedderCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model

Array = NDArray[np.float64]
Window = tuple[int, int]


@pytest.mark.slow
def test_the_converted_graph_gives_the_embedding_of_the_graphdef(
    models_dir: Path, original: Callable[[str], bytes], crops: Callable[[str], Crops]
) -> None:
    face = crops("facenet")[:1]
    converted = open_model(models_dir / "facenet.onnx", EmbedderCard, Execution()).session

    (embedding,) = converted.run(["embeddings"], {"crops": face})

    expected = _GraphDefEvaluator(original("facenet"), (face.astype(np.float64) - 127.5) / 128)["embeddings"]
    np.testing.assert_allclose(embedding, expected, atol=1e-6)


def test_a_file_that_is_cut_off_is_refused(original: Callable[[str], bytes]) -> None:
    with pytest.raises(ValueError, match="cut off"):
        convert(original("facenet")[:100_000])


class _GraphDefEvaluator:
    """Computes the value of a node, and of the nodes that it reads, in NumPy. The memory layout is NHWC."""

    def __init__(self, data: bytes, pixels: Array) -> None:
        self._nodes = {node.name: node for node in graphdef.read_nodes(data)}
        self._values: dict[str, Array] = {"input": pixels}

    def __getitem__(self, name: str) -> Array:
        if name not in self._values:
            self._values[name] = self._compute(self._nodes[name])
        return self._values[name]

    def _compute(self, node: graphdef.Node) -> Array:
        if node.op == "Const":
            return node.tensor().astype(np.float64)
        return _OPERATIONS[node.op](node, [self[name] for name in node.inputs])


def _windows(node: graphdef.Node, x: Array, window: Window, padding_value: float) -> Array:
    """Return the input at each position of the window, (n, rows, columns, c, h, w)."""
    strides = node.integers("strides")[1:3]
    padding = [(0, 0)] * 4
    if node.text("padding") == "SAME":
        for axis, (side, size, stride) in enumerate(zip(x.shape[1:3], window, strides, strict=True), 1):
            missing = max(0, (-(-side // stride) - 1) * stride + size - side)
            padding[axis] = (missing // 2, missing - missing // 2)
    padded = np.pad(x, padding, constant_values=padding_value)
    return np.lib.stride_tricks.sliding_window_view(padded, window, axis=(1, 2))[:, :: strides[0], :: strides[1]]


def _convolution(node: graphdef.Node, inputs: list[Array]) -> Array:
    x, weight = inputs
    windows = _windows(node, x, (weight.shape[0], weight.shape[1]), 0.0)
    return np.tensordot(windows, weight, axes=([4, 5, 3], [0, 1, 2]))


def _pool(node: graphdef.Node, inputs: list[Array]) -> Array:
    height, width = node.integers("ksize")[1:3]
    windows = _windows(node, inputs[0], (height, width), -np.inf)
    return np.asarray(windows.max((4, 5)) if node.op == "MaxPool" else windows.mean((4, 5)))


def _batch_normalisation(node: graphdef.Node, inputs: list[Array]) -> Array:
    x, scale, offset, mean, variance = inputs
    return (x - mean) / np.sqrt(variance + node.number("epsilon")) * scale + offset


_OPERATIONS: dict[str, Callable[[graphdef.Node, list[Array]], Array]] = {
    "Conv2D": _convolution,
    "BiasAdd": lambda _node, inputs: inputs[0] + inputs[1],
    "Add": lambda _node, inputs: inputs[0] + inputs[1],
    "Mul": lambda _node, inputs: inputs[0] * inputs[1],
    "Relu": lambda _node, inputs: np.maximum(inputs[0], 0),
    "MaxPool": _pool,
    "AvgPool": _pool,
    "ConcatV2": lambda _node, inputs: np.concatenate(inputs[:-1], int(inputs[-1])),
    "Reshape": lambda _node, inputs: inputs[0].reshape(inputs[1].astype(int).tolist()),
    "MatMul": lambda _node, inputs: inputs[0] @ inputs[1],
    "FusedBatchNorm": _batch_normalisation,
    "Square": lambda _node, inputs: inputs[0] ** 2,
    "Sum": lambda _node, inputs: inputs[0].sum(int(inputs[1].item()), keepdims=True),
    "Maximum": lambda _node, inputs: np.maximum(inputs[0], inputs[1]),
    "Rsqrt": lambda _node, inputs: 1 / np.sqrt(inputs[0]),
}
