from typing import cast

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper
from onnx.reference import ReferenceEvaluator

from models.conversion import graph
from models.float16 import halved, rounded

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
    made: tuple[list[NodeProto], graph.Weights], x: NDArray[np.float32], *values: str
) -> list[NDArray[np.float32]]:
    """The named values, in NumPy, which computes halves as halves."""
    outputs = [graph.float_value(name, *SHAPES[name]) for name in values]
    model = graph.build("some", *made, [graph.float_value("x", 2, 3, 3)], outputs)
    return cast("list[NDArray[np.float32]]", ReferenceEvaluator(model).run(None, {"x": x}))


def test_the_layers_compute_in_halves_and_the_rest_in_float32() -> None:
    nodes, weights = halved(NODES, _weights())

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


def test_halves_say_nearly_the_same() -> None:
    (halves,), (exact,) = _run(halved(NODES, _weights()), _faces(), "y"), _run((NODES, _weights()), _faces(), "y")

    assert halves.dtype == np.float32
    assert 0 < np.abs(halves - exact).max() < 2e-3


def test_what_is_measured_says_what_halves_say() -> None:
    files = halved(NODES, _weights())

    (halves,), (measured,) = _run(files, _faces(), "y"), _run(rounded(*files), _faces(), "y")

    # NumPy rounds within the sums of a layer, too.
    np.testing.assert_allclose(measured, halves, atol=1e-3)


def test_what_is_measured_is_rounded_behind_each_node() -> None:
    values = _run(rounded(*halved(NODES, _weights())), _faces(), "input_float16", "a", "b", "c", "d", "e")

    for value in values:
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, value.astype(np.float16))


def test_what_is_measured_is_infinite_where_a_half_would_be() -> None:
    far = _faces() * np.float32(1e5)

    with np.errstate(over="ignore", invalid="ignore"):
        (value,) = _run(rounded(*halved(NODES, _weights())), far, "b")

    assert np.isinf(value).any()
