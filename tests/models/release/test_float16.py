from typing import cast

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper
from onnx.reference import ReferenceEvaluator

from models.conversion import graph
from models.release.float16 import round_as_gpu, to_float16

NODES = [
    helper.make_node("Mul", ["x", "scale"], ["input"]),
    helper.make_node("Conv", ["input", "kernel"], ["a"], pads=[1, 1, 1, 1]),
    helper.make_node("Relu", ["a"], ["b"]),
    helper.make_node("Mul", ["b", "scale"], ["c"]),
    helper.make_node("Reshape", ["c", "shape"], ["d"]),
    helper.make_node("Gemm", ["d", "matrix", "bias"], ["e"]),
    helper.make_node("ReduceL2", ["e", "axis"], ["length"], keepdims=1),
    helper.make_node("Div", ["e", "length"], ["y"]),
]


def _weights() -> graph.Weights:
    rng = np.random.default_rng(0)
    return {
        "scale": np.array([0.3], np.float32),
        "kernel": rng.normal(size=(4, 2, 3, 3)).astype(np.float32),
        "shape": np.array([0, -1], np.int64),
        "matrix": rng.normal(size=(36, 5)).astype(np.float32),
        "bias": rng.normal(size=5).astype(np.float32),
        "axis": np.array([1], np.int64),
    }


def _faces() -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=(6, 2, 3, 3)).astype(np.float32)


SHAPES = {
    "input_float16": (2, 3, 3),
    "a": (4, 3, 3),
    "b": (4, 3, 3),
    "c": (4, 3, 3),
    "d": (36,),
    "e": (5,),
    "y": (5,),
}


def _run(
    converted: tuple[list[NodeProto], graph.Weights], x: NDArray[np.float32], *values: str
) -> list[NDArray[np.float32]]:
    """Compute the named values in NumPy, which rounds float16 numbers to float16."""
    outputs = [graph.float_output(name, *SHAPES[name]) for name in values]
    model = graph.build("graph", *converted, [graph.float_output("x", 2, 3, 3)], outputs)
    return cast("list[NDArray[np.float32]]", ReferenceEvaluator(model).run(None, {"x": x}))


def test_the_layers_compute_in_float16_and_the_rest_in_float32() -> None:
    nodes, weights = to_float16(NODES, _weights())

    assert [node.op_type for node in nodes] == [
        *("Mul", "Cast", "Conv", "Relu", "Mul", "Reshape", "Gemm"),
        *("Cast", "ReduceL2", "Div"),
    ]
    used = {name: weights[name].dtype.name for node in nodes for name in node.input if name in weights}
    assert used == {
        "scale": "float32",
        "kernel_float16": "float16",
        "scale_float16": "float16",
        "shape": "int64",
        "matrix_float16": "float16",
        "bias_float16": "float16",
        "axis": "int64",
    }


def test_float16_changes_the_results_a_little() -> None:
    (float16,), (exact,) = _run(to_float16(NODES, _weights()), _faces(), "y"), _run((NODES, _weights()), _faces(), "y")

    assert float16.dtype == np.float32
    assert 0 < np.abs(float16 - exact).max() < 2e-3


def test_the_measured_graph_gives_the_results_of_float16() -> None:
    converted = to_float16(NODES, _weights())

    (float16,), (measured,) = _run(converted, _faces(), "y"), _run(round_as_gpu(*converted), _faces(), "y")

    # NumPy also rounds inside the sums of a layer.
    np.testing.assert_allclose(measured, float16, atol=1e-3)


def test_the_measured_graph_rounds_after_each_node() -> None:
    values = _run(round_as_gpu(*to_float16(NODES, _weights())), _faces(), "input_float16", "a", "b", "c", "d", "e")

    for value in values:
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, value.astype(np.float16))


def test_the_measured_graph_is_infinite_if_float16_is_infinite() -> None:
    large = _faces() * np.float32(1e5)

    with np.errstate(over="ignore", invalid="ignore"):
        (value,) = _run(round_as_gpu(*to_float16(NODES, _weights())), large, "b")

    assert np.isinf(value).any()
