"""Convert SFace of the OpenCV zoo to an embedder.

The published file has weights in int8, quantised in blocks. Its batch is one face, and its features are not scaled to
unit length.
"""

import onnx
from onnx import ModelProto

from models.conversion import graph

DIMENSION = 128
SIDE_PX = 112


def convert(data: bytes) -> ModelProto:
    """Convert the published file.

    data: the bytes of the ONNX file. Its input is RGB in 0..255. The graph itself subtracts the mean and scales.
    """
    source = onnx.load_from_string(data).graph
    nodes = [node for node in source.node if node.op_type not in {"Constant", "Dropout"}]
    _skip_dropout(source, nodes)
    nodes, weights = graph.fold_dequantisation(nodes, graph.initializers(source))
    nodes, weights = graph.lower_prelu(nodes, weights)
    tail, axis = graph.scale_to_unit_length(source.output[0].name, "embeddings")
    return graph.build(
        "sface",
        [*graph.pixels_to_float("crops", source.input[0].name), *nodes, *tail],
        weights | axis,
        [graph.uint8_input("crops", SIDE_PX, SIDE_PX)],
        [graph.float_output("embeddings", DIMENSION)],
    )


def _skip_dropout(source: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Make the nodes that read a Dropout read its input instead. Dropout does nothing outside training."""
    inputs = {node.output[0]: node.input[0] for node in source.node if node.op_type == "Dropout"}
    for node in nodes:
        node.input[:] = [inputs.get(name, name) for name in node.input]
