"""A network -> one ONNX file with a card (`service/model_files/card.py`).

The file is written only if ONNX Runtime computes the same embeddings as PyTorch.

The tracer of PyTorch gives the operations up to the last layer. It folds batch normalisation into the layer before it.
The scaling to unit length is added here, as in every other model file (`graph.scale_to_unit_length`). The tracer would
turn `normalize` into operations that copy the shape of the batch from node to node.

Nodes and values get new names, for two reasons. The tracer counts its names over the whole process, so a second export
would give other names. And the tracer adds to each node its line of source code, with the names of folders of this
machine.
"""

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from onnx import GraphProto, ModelProto, NodeProto
from pydantic import ValidationError
from torch import Tensor, nn

from models.architectures.network import Network, normalise_pixels
from models.conversion import graph
from models.conversion.card import to_bytes_with_card
from models.errors import ExportRefused
from models.files import write_atomically
from models.release.candidate import open_candidate_bytes
from service.domain.face import Crops
from service.model_files.card import BoxAlignment, EmbedderCard, FivePointAlignment, first_fault
from service.pipeline.embedders.base import Embedder

TOLERANCE = 1e-4
"""The largest allowed difference between two numbers of an embedding."""

BATCH_SIZES = (1, 3, 32)


def card_fields(
    network: Network, alignment: FivePointAlignment | BoxAlignment, name: str, licence: str, training: str
) -> dict[str, Any]:
    """Return the fields of a trained network's card that are known before anything is measured.

    alignment: of the network's crops.
    training: recipe and data, in words.
    """
    return {
        "role": "embedder",
        "name": name,
        "architecture": network.architecture.name,
        "licence": licence,
        "training": training,
        "dimension": network.dimension,
        "alignment": alignment.model_dump(),
    }


def export(network: Network, fields: dict[str, Any], crops: Crops, path: Path) -> EmbedderCard:
    """Write the network in evaluation mode to a model file, and return the card.

    fields: the card without its identity.
    crops: (n, h, w, 3) uint8, at least one real face of the network's input size.
    path: the file. The same weights and fields always give the same bytes.
    Raises ExportRefused if the card cannot hold a field, or if ONNX Runtime and PyTorch differ. An earlier file at
    `path` is then not changed.
    """
    evaluated = _copy_for_evaluation(network)
    model = _to_onnx(evaluated)
    try:
        data = to_bytes_with_card(model, fields)
    except ValidationError as error:
        raise ExportRefused(f"The card cannot hold {first_fault(error)}. Correct the file that --card names.") from None
    embedder = open_candidate_bytes(data)
    _require_agreement(evaluated, embedder, crops)
    write_atomically(path, data)
    return embedder.card


def _copy_for_evaluation(network: Network) -> Network:
    """Return a copy on the CPU in evaluation mode. Its weights have the layout of the file: channels first."""
    copied = copy.deepcopy(network).cpu().eval()
    copied.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # torch's stubs lack this overload
    return copied


class _WithoutUnitLength(nn.Module):
    """The network without the scaling to unit length. Its maps have the layout of the file: channels first."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        return cast("Tensor", self.network.embedding(self.network.trunk(normalise_pixels(crops).contiguous())))


def _to_onnx(network: Network) -> ModelProto:
    """Return the model with the inputs and outputs of an embedder, without a card."""
    nodes, weights = _rename(_trace(network))
    nodes, weights = graph.lower_prelu(nodes, weights)
    scaling, axis = graph.scale_to_unit_length(nodes[-1].output[0], "embeddings")
    architecture = network.architecture
    return graph.build(
        architecture.name,
        [*nodes, *scaling],
        weights | axis,
        [graph.uint8_input("crops", architecture.height, architecture.width)],
        [graph.float_output("embeddings", network.dimension)],
    )


def _trace(network: Network) -> GraphProto:
    """Return the traced graph, from `crops` to the embedding before scaling.

    The graph takes any batch size, although it is traced with a batch of 2.
    """
    architecture = network.architecture
    with _quiet_tracer():
        program = torch.onnx.export(
            _WithoutUnitLength(network).eval(),
            (torch.zeros(2, architecture.height, architecture.width, 3, dtype=torch.uint8),),
            input_names=["crops"],
            dynamic_shapes={"crops": {0: torch.export.Dim("n")}},
            opset_version=graph.OPSET,
            dynamo=True,
            verbose=False,
        )
    return cast("torch.onnx.ONNXProgram", program).model_proto.graph


@contextmanager
def _quiet_tracer() -> Iterator[None]:
    """Hide two messages of PyTorch 2.13: that torchvision is missing, and that PyTorch uses a deprecated name."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
            yield
    finally:
        log.setLevel(level)


def _rename(traced: GraphProto) -> tuple[list[NodeProto], graph.Weights]:
    """Return the nodes and weights under new names.

    Weights have the names of the network's parameters. Constants and values are numbered.
    """
    prefix = "network."
    names = {traced.input[0].name: "crops"}
    for number, tensor in enumerate(traced.initializer):
        is_parameter = tensor.name.startswith(prefix)
        names[tensor.name] = tensor.name.removeprefix(prefix) if is_parameter else f"constant_{number}"
    for number, node in enumerate(traced.node):
        names |= {value: f"{node.op_type}_{number}_{place}" for place, value in enumerate(node.output)}
    weights = {names[name]: weight for name, weight in graph.initializers(traced).items()}
    return [_rename_node(node, names) for node in traced.node], weights


def _rename_node(node: NodeProto, names: dict[str, str]) -> NodeProto:
    """Return a node with only the operation. The empty name of an absent optional input stays empty."""

    def rename(values: Sequence[str]) -> list[str]:
        return [names.get(value, value) for value in values]

    return NodeProto(
        op_type=node.op_type, input=rename(node.input), output=rename(node.output), attribute=node.attribute
    )


def _require_agreement(network: Network, embedder: Embedder, crops: Crops) -> None:
    """Raise ExportRefused if the embeddings of a batch differ by more than TOLERANCE, or hold NaN."""
    difference = float(
        np.max([_largest_difference(network, embedder, crops, batch_size) for batch_size in BATCH_SIZES])
    )
    if not difference <= TOLERANCE:  # false for NaN too
        raise ExportRefused(
            f"The embeddings of ONNX Runtime and PyTorch differ by {difference:.2g} on {network.architecture.name}, "
            f"and at most {TOLERANCE:g} is allowed. Nothing was written. Look for an operation that the tracer exports "
            "incorrectly."
        )


def _largest_difference(network: Network, embedder: Embedder, crops: Crops, batch_size: int) -> float:
    """Return the largest difference in a batch of this size. The crops are repeated until the batch is full."""
    batch = np.resize(crops, (batch_size, *crops.shape[1:]))
    with torch.inference_mode():
        expected = network(torch.from_numpy(batch)).numpy()
    return float(np.abs(embedder.embed(batch) - expected).max())
