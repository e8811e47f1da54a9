"""A network -> one ONNX file with a card (`service/card.py`), written only where ONNX Runtime agrees with PyTorch.

Tracing gives the operations up to the last layer, with batch normalisation folded into the layer before it. Unit length
is made as in every other file (`graph.unit_out`), since what the tracer makes of `normalize` copies the batch's shape
about. Nodes and values are named anew and stand alone: the tracer counts them as it goes, and notes beside each the
line of the source file that it comes from, so that its own file would name the folders of the machine.
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

from models.architectures.network import Network, pixels
from models.candidate import open_candidate
from models.conversion import graph
from models.conversion.card import with_card
from models.errors import ExportRefused
from models.files import write_atomically
from service.card import BoxCrop, EmbedderCard, FivePoint
from service.domain import Crops
from service.embedders.base import Embedder

TOLERANCE = 1e-4
"""The largest difference of any number of any embedding."""

BATCHES = (1, 3, 32)


def card_fields(
    network: Network, alignment: FivePoint | BoxCrop, name: str, licence: str, training: str
) -> dict[str, Any]:
    """What a trained network's card holds before anything is measured.

    alignment: how a face becomes its crop. training: recipe and data.
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
    """Writes the network as it is in evaluation, the same bytes for the same weights and fields, and gives its card.

    fields: the card without its identity. crops: (n, h, w, 3) uint8, at least one real face of the network's size.
    Raises ExportRefused, a field that no card can hold among its reasons, and leaves what was at the path as it was.
    """
    at_rest = _at_rest(network)
    model = _model(at_rest)
    try:
        data = with_card(model, fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ExportRefused(f"The card cannot say {where}: {first['msg']}. Mend the file that --card names.") from None
    embedder = open_candidate(data)
    _require_agreement(at_rest, embedder, crops)
    write_atomically(path, data)
    return embedder.card


def _at_rest(network: Network) -> Network:
    """A copy for evaluation on the processor, its weights in the layout that the file has: channels first."""
    still = copy.deepcopy(network).cpu().eval()
    still.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # torch's stubs forget this form
    return still


class _Features(nn.Module):
    """The network without its last step; its maps in the layout that the file has."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        return cast("Tensor", self.network.embedding(self.network.trunk(pixels(crops).contiguous())))


def _model(network: Network) -> ModelProto:
    """The graph under the contract, without a card."""
    nodes, weights = _renamed(_trace(network))
    nodes, weights = graph.lower_prelu(nodes, weights)
    tail, axis = graph.unit_out(nodes[-1].output[0], "embeddings")
    size = network.architecture
    return graph.build(
        size.name,
        [*nodes, *tail],
        weights | axis,
        [graph.pixels_value("crops", size.height, size.width)],
        [graph.float_value("embeddings", network.dimension)],
    )


def _trace(network: Network) -> GraphProto:
    """The tracer's graph from `crops` to the features; a batch of 2 stands for any."""
    size = network.architecture
    with _quiet_tracer():
        program = torch.onnx.export(
            _Features(network).eval(),
            (torch.zeros(2, size.height, size.width, 3, dtype=torch.uint8),),
            input_names=["crops"],
            dynamic_shapes={"crops": {0: torch.export.Dim("n")}},
            opset_version=graph.OPSET,
            dynamo=True,
            verbose=False,
        )
    return cast("torch.onnx.ONNXProgram", program).model_proto.graph


@contextmanager
def _quiet_tracer() -> Iterator[None]:
    """Without what PyTorch 2.13 says to its own makers: that torchvision is not there, that it uses a name of old."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
            yield
    finally:
        log.setLevel(level)


def _renamed(traced: GraphProto) -> tuple[list[NodeProto], graph.Weights]:
    """Nodes that hold nothing but their operation; weights under the network's names, constants and values numbered."""
    prefix = "network."
    names = {traced.input[0].name: "crops"}
    for number, tensor in enumerate(traced.initializer):
        own = tensor.name.startswith(prefix)
        names[tensor.name] = tensor.name.removeprefix(prefix) if own else f"constant_{number}"
    for number, node in enumerate(traced.node):
        names |= {value: f"{node.op_type}_{number}_{place}" for place, value in enumerate(node.output)}
    weights = {names[name]: weight for name, weight in graph.weights_of(traced).items()}
    return [_bare(node, names) for node in traced.node], weights


def _bare(node: NodeProto, names: dict[str, str]) -> NodeProto:
    """An absent optional input has the empty name, and keeps it."""

    def renamed(values: Sequence[str]) -> list[str]:
        return [names.get(value, value) for value in values]

    return NodeProto(
        op_type=node.op_type, input=renamed(node.input), output=renamed(node.output), attribute=node.attribute
    )


def _require_agreement(network: Network, embedder: Embedder, crops: Crops) -> None:
    """Raises ExportRefused where any batch differs by more than TOLERANCE, or holds what is no number."""
    difference = float(np.max([_difference(network, embedder, crops, batch) for batch in BATCHES]))
    if not difference <= TOLERANCE:
        raise ExportRefused(
            f"ONNX Runtime and PyTorch differ by {difference:.2g} on {network.architecture.name}, where "
            f"{TOLERANCE:g} is allowed. Nothing was written; look for what the tracer does not follow."
        )


def _difference(network: Network, embedder: Embedder, crops: Crops, batch: int) -> float:
    """The largest of the batch, which takes the crops in turn."""
    some = np.resize(crops, (batch, *crops.shape[1:]))
    with torch.inference_mode():
        expected = network(torch.from_numpy(some)).numpy()
    return float(np.abs(embedder.embed(some) - expected).max())
