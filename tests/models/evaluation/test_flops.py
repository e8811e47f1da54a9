from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from models.errors import InvalidModel
from models.evaluation.flops import multiply_adds


def _file(path: Path, nodes: list[NodeProto], weights: dict[str, tuple[int, ...]], size: int | str = 8) -> Path:
    """A graph from x, (n, 3, size, size), to y; weights by name and shape."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in weights.items()],
    )
    graph.output[0].type.tensor_type.shape.dim.add().dim_param = "n"
    for _ in range(3 if nodes[-1].op_type == "Conv" else 1):
        graph.output[0].type.tensor_type.shape.dim.add()
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


def test_a_convolution_is_counted_for_each_number_that_comes_out(tmp_path: Path) -> None:
    strided = helper.make_node("Conv", ["x", "w", "b"], ["y"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])

    cost = multiply_adds(_file(tmp_path / "m.onnx", [strided], {"w": (5, 3, 3, 3), "b": (5,)}))

    assert cost == (4 * 4 * 5) * (3 * 3 * 3 + 1)


def test_groups_see_their_own_channels_alone(tmp_path: Path) -> None:
    depthwise = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3], group=3, pads=[1, 1, 1, 1])

    assert multiply_adds(_file(tmp_path / "m.onnx", [depthwise], {"w": (3, 1, 3, 3)})) == (8 * 8 * 3) * 9


def test_matrices_are_counted_with_their_bias_and_what_is_no_product_is_not(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["g"], transB=1),
        helper.make_node("MatMul", ["g", "v"], ["y"]),
    ]

    cost = multiply_adds(_file(tmp_path / "m.onnx", nodes, {"w": (10, 192), "b": (10,), "v": (10, 4)}))

    assert cost == 10 * (192 + 1) + 4 * 10


def test_a_graph_whose_shapes_are_not_known_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3])

    with pytest.raises(InvalidModel, match=r"m\.onnx cannot be counted: the shape of y is not known"):
        multiply_adds(_file(tmp_path / "m.onnx", [node], {"w": (5, 3, 3, 3)}, size="side"))


def test_inception_resnet_v1_costs_what_others_count(models_dir: Path) -> None:
    """1.4 G multiply-adds at 160 x 160: Keras, fvcore and thop agree to two digits."""
    assert multiply_adds(models_dir / "facenet.onnx") == pytest.approx(1.42e9, rel=0.01)
