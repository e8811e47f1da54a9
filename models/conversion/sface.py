"""SFace of the OpenCV zoo: int8 block-quantised weights, batch 1, raw features -> the contract of an embedder."""

import onnx
from onnx import ModelProto

from models.conversion import graph

DIMENSION = 128
SIDE_PX = 112


def convert(data: bytes) -> ModelProto:
    """data: the ONNX file. It takes RGB in 0..255 and subtracts and scales by itself; its features are not unit."""
    source = onnx.load_from_string(data).graph
    nodes = [node for node in source.node if node.op_type not in {"Constant", "Dropout"}]
    _skip_dropout(source, nodes)
    nodes, weights = graph.fold_dequantisation(nodes, graph.weights_of(source))
    nodes, weights = graph.lower_prelu(nodes, weights)
    tail, axis = graph.unit_out(source.output[0].name, "embeddings")
    return graph.build(
        "sface",
        [*graph.pixels_in("crops", source.input[0].name), *nodes, *tail],
        weights | axis,
        [graph.pixels_value("crops", SIDE_PX, SIDE_PX)],
        [graph.float_value("embeddings", DIMENSION)],
    )


def _skip_dropout(source: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Dropout does nothing outside training; its readers read its input."""
    passed = {node.output[0]: node.input[0] for node in source.node if node.op_type == "Dropout"}
    for node in nodes:
        node.input[:] = [passed.get(name, name) for name in node.input]
