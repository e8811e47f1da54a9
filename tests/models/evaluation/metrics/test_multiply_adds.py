from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import nn

from models.architectures.blocks import LocalResponseNorm
from models.architectures.network import Architecture, Network
from models.architectures.profile import profile_network
from models.errors import InvalidModel
from models.evaluation.metrics.multiply_adds import multiply_adds
from models.release.export import card_fields, export


def _file(path: Path, nodes: list[NodeProto], weights: dict[str, tuple[int, ...]], size: int | str = 8) -> Path:
    """Write a graph from x, (n, 3, size, size), to y. weights: the shapes by name. All weights are 0.5."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.full(shape, 0.5, np.float32), name) for name, shape in weights.items()],
    )
    graph.output[0].type.tensor_type.shape.dim.add().dim_param = "n"
    for _ in range(3 if nodes[-1].op_type == "Conv" else 1):
        graph.output[0].type.tensor_type.shape.dim.add()
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


def test_a_convolution_counts_its_weights_and_its_bias_for_each_number_of_the_output(tmp_path: Path) -> None:
    strided = helper.make_node("Conv", ["x", "w", "b"], ["y"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])

    cost = multiply_adds(_file(tmp_path / "m.onnx", [strided], {"w": (5, 3, 3, 3), "b": (5,)}))

    assert cost == (4 * 4 * 5) * (3 * 3 * 3 + 1)


def test_a_group_counts_only_its_own_channels(tmp_path: Path) -> None:
    depthwise = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3], group=3, pads=[1, 1, 1, 1])

    assert multiply_adds(_file(tmp_path / "m.onnx", [depthwise], {"w": (3, 1, 3, 3)})) == (8 * 8 * 3) * 9


def test_matrices_count_with_their_bias_and_activations_do_not_count(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["g"], transB=1),
        helper.make_node("MatMul", ["g", "v"], ["y"]),
    ]

    cost = multiply_adds(_file(tmp_path / "m.onnx", nodes, {"w": (10, 192), "b": (10,), "v": (10, 4)}))

    assert cost == 10 * (192 + 1) + 4 * 10


def test_a_convolution_with_a_band_of_ones_is_normalisation_and_does_not_count(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "band"], ["sums"], kernel_shape=[1, 1]),
        helper.make_node("Conv", ["sums", "w"], ["y"], kernel_shape=[1, 1]),
    ]
    path = _file(tmp_path / "m.onnx", nodes, {"band": (3, 3, 1, 1), "w": (5, 3, 1, 1)})
    model = onnx.load(path)
    band = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]], np.float32).reshape(3, 3, 1, 1)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(band, "band"))
    onnx.save(model, path)

    assert multiply_adds(path) == (8 * 8 * 5) * 3


@pytest.mark.slow
def test_a_network_with_local_response_normalisation_has_the_same_count_in_file_and_profile(tmp_path: Path) -> None:
    def trunk() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=4, padding=2),
            nn.ReLU(),
            LocalResponseNorm(8),
            nn.Conv2d(8, 12, 3),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )

    torch.manual_seed(0)
    network = Network(Architecture("tiny", 32, 32, 12, trunk), 8)
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    fields = card_fields(network, network.architecture.alignment, "tiny", "Apache-2.0", "weights drawn at random")

    export(network, fields, crops, tmp_path / "tiny.onnx")

    convolutions = [node for node in onnx.load(tmp_path / "tiny.onnx").graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 3  # the second is the normalisation
    assert multiply_adds(tmp_path / "tiny.onnx") == profile_network(network.architecture, 8).total.multiply_adds


def test_a_graph_with_unknown_shapes_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3])

    with pytest.raises(InvalidModel, match=r"m\.onnx cannot be counted: the shape of y is not known"):
        multiply_adds(_file(tmp_path / "m.onnx", [node], {"w": (5, 3, 3, 3)}, size="side"))


def test_inception_resnet_v1_has_the_count_of_other_tools(models_dir: Path) -> None:
    """1.4 G multiply-adds at 160 x 160: Keras, fvcore and thop agree to two digits."""
    assert multiply_adds(models_dir / "facenet.onnx") == pytest.approx(1.42e9, rel=0.01)
