"""A published network with the inputs and outputs of an embedder (`service/model_files/card.py`).

Pixels go in, and embeddings of unit length come out. What the convention says is inside of the graph.
"""

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

from models.conversion import graph
from models.errors import AdoptionRefused
from models.release.adoption.convention import CHANNELS, PixelConvention
from models.release.adoption.published import PublishedNetwork

PREFIX = "network_"
"""Before all names of the published network. So they differ from the names that are added here."""


def wrap(network: PublishedNetwork, convention: PixelConvention, dimension: int) -> ModelProto:
    """Return the network as an embedder, without a card. Its batch may have any size.

    dimension: of the embeddings.
    Raises AdoptionRefused if the operators of the network are too old or too new to be converted.
    """
    inner = _current_operators(network.model)
    nodes, weights = _nodes_and_weights(inner)
    weights = graph.allow_any_batch(nodes, weights)
    nodes, weights = graph.lower_prelu(nodes, weights)
    head, constants = _pixels_to_input(network, convention)
    tail, axis = graph.scale_to_unit_length("features", "embeddings")
    flatten = helper.make_node("Flatten", [PREFIX + network.features], ["features"])
    return graph.build(
        "adopted",
        [*head, *nodes, flatten, *tail],
        weights | constants | axis,
        [graph.uint8_input("crops", network.height, network.width)],
        [graph.float_output("embeddings", dimension)],
    )


def _current_operators(model: ModelProto) -> GraphProto:
    """Return the graph with the operators of `graph.OPSET`, and with the prefix before its names."""
    try:
        converted = onnx.version_converter.convert_version(model, graph.OPSET)
    except (RuntimeError, ValueError) as error:
        raise AdoptionRefused(
            f"The operators of the file cannot be converted to opset {graph.OPSET}. Export the network again, with "
            "opset 12 or newer."
        ) from error
    return onnx.compose.add_prefix(converted, PREFIX).graph


def _nodes_and_weights(inner: GraphProto) -> tuple[list[NodeProto], graph.Weights]:
    """Return the nodes and the weights. A constant of the graph is a weight. Dropout does nothing outside training."""
    weights = graph.initializers(inner)
    nodes = []
    for node in inner.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            weights[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type == "Dropout":
            nodes.append(helper.make_node("Identity", node.input[:1], node.output[:1]))
        else:
            nodes.append(node)
    return nodes, weights


def _pixels_to_input(network: PublishedNetwork, convention: PixelConvention) -> tuple[list[NodeProto], graph.Weights]:
    """Return the nodes from uint8 RGB to what the network expects, and their weights. Those of no node are left out."""
    shape, image = (CHANNELS, 1, 1), PREFIX + network.image
    weights: graph.Weights = {
        "mean": np.array(convention.mean, np.float32).reshape(shape),
        "std": np.array(convention.std, np.float32).reshape(shape),
        "blue_green_red": np.array([2, 1, 0], np.int64),
    }
    is_bgr = convention.colour == "bgr"
    scaled = image if network.channels_first else "scaled"
    nodes = [
        *graph.pixels_to_float("crops", "pixels"),
        *([helper.make_node("Gather", ["pixels", "blue_green_red"], ["reversed"], axis=1)] if is_bgr else []),
        helper.make_node("Sub", ["reversed" if is_bgr else "pixels", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], [scaled]),
    ]
    if not network.channels_first:
        nodes.append(helper.make_node("Transpose", [scaled], [image], perm=[0, 2, 3, 1]))
    return nodes, weights
