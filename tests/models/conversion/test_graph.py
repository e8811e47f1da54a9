from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, helper
from onnx.reference import ReferenceEvaluator

from models.conversion import graph

SHAPE = (2, 5, 7, 7)


def _run(nodes: list[NodeProto], weights: graph.Weights, x: NDArray[np.float32]) -> NDArray[np.float32]:
    values = [graph.float_output(name, *SHAPE[1:]) for name in ("x", "y")]
    model = graph.build("prelu", nodes, weights, values[:1], values[1:])
    return cast("list[NDArray[np.float32]]", ReferenceEvaluator(model).run(None, {"x": x}))[0]


def test_a_replaced_prelu_gives_the_same_numbers() -> None:
    rng = np.random.default_rng(0)
    slope = rng.normal(size=(5, 1, 1)).astype(np.float32)
    x = rng.normal(size=SHAPE).astype(np.float32)
    nodes = [helper.make_node("PRelu", ["x", "slope"], ["y"])]

    lowered, weights = graph.lower_prelu(nodes, {"slope": slope})

    assert "PRelu" not in {node.op_type for node in lowered}
    np.testing.assert_allclose(_run(lowered, weights, x), np.where(x > 0, x, slope * x), atol=2e-7)


def test_a_prelu_of_dense_features_stays() -> None:
    nodes = [helper.make_node("PRelu", ["x", "slope"], ["y"])]

    lowered, _ = graph.lower_prelu(nodes, {"slope": np.ones(5, np.float32)})

    assert lowered == nodes


def test_dequantisation_in_blocks_is_replaced_by_its_result() -> None:
    quantised = np.arange(-3, 3, dtype=np.int8).reshape(2, 3)
    weights: graph.Weights = {
        "q": quantised,
        "scale": np.array([[0.5, 2.0], [1.0, 4.0]], np.float32),
        "zero": np.array([[0, 1], [2, 0]], np.int8),
        "shape": np.array([3, 2], np.int64),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["w"], axis=1, block_size=2),
        helper.make_node("Reshape", ["w", "shape"], ["turned"]),
        helper.make_node("MatMul", ["x", "turned"], ["y"]),
    ]

    kept, folded = graph.fold_dequantisation(nodes, weights)

    assert [node.op_type for node in kept] == ["MatMul"]
    # (q - zero) * scale. A block has two columns, so the third column has the second scale.
    np.testing.assert_array_equal(folded["w"], [[-1.5, -1.0, -4.0], [-2.0, -1.0, 8.0]])
    np.testing.assert_array_equal(folded["turned"], np.reshape(folded["w"], (3, 2)))


def test_other_operations_on_weights_alone_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a DequantizeLinear or a Reshape of weights, and found Neg"):
        graph.fold_dequantisation([helper.make_node("Neg", ["w"], ["n"])], {"w": np.ones(1, np.float32)})
