"""The weights and multiply-adds of a network, row by row, beside the numbers that the paper prints.

The paper prints them in Tables 1 and 2, and in section 3.3 for the other networks. It calls multiply-adds FLOPS. They
are counted as in the paper: a multiply-add counts as 1. Each output channel has one bias, which is added once for each
output position.

The counts are taken from the modules that are trained. The network is on torch's meta device, where tensors have a
shape and no values, so nothing is computed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rich.table import Table
from torch import Tensor, nn

from models.architectures.network import Architecture, Network


@dataclass(frozen=True, slots=True)
class PaperCell:
    """The two numbers of a row as the paper prints them, such as 9K and 115M. Empty if the paper prints none."""

    weights: str = ""
    multiply_adds: str = ""


EMPTY_CELL = PaperCell()

TABLE_1 = {
    "conv1": PaperCell("9K", "115M"),
    "conv2a": PaperCell("4K", "13M"),
    "conv2": PaperCell("111K", "335M"),
    "conv3a": PaperCell("37K", "29M"),
    "conv3": PaperCell("664K", "521M"),
    "conv4a": PaperCell("148K", "29M"),
    "conv4": PaperCell("885K", "173M"),
    "conv5a": PaperCell("66K", "13M"),
    "conv5": PaperCell("590K", "116M"),
    "conv6a": PaperCell("66K", "13M"),
    "conv6": PaperCell("590K", "116M"),
    "fc1": PaperCell("103M", "103M"),
    "fc2": PaperCell("34M", "34M"),
    "embedding": PaperCell("524K", "0.5M"),
    "total": PaperCell("140M", "1.6B"),
}

TABLE_2 = {
    "conv1": PaperCell("9K", "119M"),
    "2": PaperCell("115K", "360M"),
    "3a": PaperCell("164K", "128M"),
    "3b": PaperCell("228K", "179M"),
    "3c": PaperCell("398K", "108M"),
    "4a": PaperCell("545K", "107M"),
    "4b": PaperCell("595K", "117M"),
    "4c": PaperCell("654K", "128M"),
    "4d": PaperCell("722K", "142M"),
    "4e": PaperCell("717K", "56M"),
    "5a": PaperCell("1.6M", "78M"),
    "5b": PaperCell("1.6M", "78M"),
    "embedding": PaperCell("131K", "0.1M"),
    "total": PaperCell("7.5M", "1.6B"),
}

PAPER_TABLES = {
    "nn1": TABLE_1,
    "nn2": TABLE_2,
    "nn4": {"total": PaperCell("6.6M", "285M")},
    "nns1": {"total": PaperCell("26M", "220M")},
    "nns2": {"total": PaperCell("4.3M", "20M")},
}
"""What the paper prints, by network and row. For NN3 it prints only the input size. `compact` is not from the paper."""

PAPER_DIMENSION = 128

Shapes = dict[nn.Module, tuple[int, ...]]
"""The shape of each module's output for a single crop."""


@dataclass(frozen=True, slots=True)
class RowCost:
    """What a row costs.

    output: (h, w, channels), or (features,).
    weights: of convolutions and linear layers, with one bias for each output channel. If batch normalisation follows,
    its shifts count as these biases.
    normalisation: the scales and shifts of batch normalisation. So the shifts are counted twice: here and in `weights`.
    paper: what the paper prints for this row.
    """

    name: str
    output: tuple[int, ...]
    weights: int
    multiply_adds: int
    normalisation: int
    paper: PaperCell = EMPTY_CELL


@dataclass(frozen=True, slots=True)
class NetworkProfile:
    """What a network costs.

    rows: in the order of the network. The last is the linear layer of the embedding.
    total: the sum over the rows.
    """

    architecture: Architecture
    rows: tuple[RowCost, ...]
    total: RowCost


def profile_network(architecture: Architecture, dimension: int) -> NetworkProfile:
    """Return what a network costs.

    dimension: of the embeddings. The numbers of the paper are added only at 128, the dimension of its tables.
    """
    with torch.device("meta"):
        network = Network(architecture, dimension).eval()
        shapes = _output_shapes(network, torch.zeros(1, architecture.height, architecture.width, 3, dtype=torch.uint8))
    paper = PAPER_TABLES.get(architecture.name, {}) if dimension == PAPER_DIMENSION else {}
    modules = [*network.trunk.named_children(), ("embedding", network.embedding)]
    rows = [_row_cost(name, module, shapes, paper.get(name, EMPTY_CELL)) for name, module in modules]
    return NetworkProfile(architecture, tuple(rows), _total(rows, paper.get("total", EMPTY_CELL)))


def _output_shapes(network: Network, crops: Tensor) -> Shapes:
    shapes: Shapes = {}

    def record(module: nn.Module, _: object, output: Tensor) -> None:
        shapes[module] = tuple(output.shape)

    for module in network.modules():
        module.register_forward_hook(record)
    network(crops)
    return shapes


def _row_cost(name: str, row: nn.Module, shapes: Shapes, paper: PaperCell) -> RowCost:
    layers = [module for module in row.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    weights = [layer.weight.numel() + layer.weight.shape[0] for layer in layers]
    positions = [math.prod(shapes[layer][2:]) for layer in layers]
    norms = [module for module in row.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    _, channels, *size = shapes[row]
    return RowCost(
        name,
        (*size, channels),
        weights=sum(weights),
        # A layer uses each of its weights, and adds each bias, once for each position of its output.
        multiply_adds=sum(count * times for count, times in zip(weights, positions, strict=True)),
        normalisation=sum(parameter.numel() for norm in norms for parameter in norm.parameters()),
        paper=paper,
    )


def _total(rows: Sequence[RowCost], paper: PaperCell) -> RowCost:
    return RowCost(
        "total",
        rows[-1].output,
        weights=sum(row.weights for row in rows),
        multiply_adds=sum(row.multiply_adds for row in rows),
        normalisation=sum(row.normalisation for row in rows),
        paper=paper,
    )


def profile_table(profile: NetworkProfile) -> Table:
    """Return the profile as a table for a terminal. Each column "paper" belongs to the column on its left."""
    architecture = profile.architecture
    table = Table("row", "output", title=f"{architecture.name}, {architecture.height} x {architecture.width}")
    for column in ("weights", "paper", "multiply-adds", "paper", "batch norm"):
        table.add_column(column, justify="right")
    for row in profile.rows:
        table.add_row(*_cells(row), end_section=row is profile.rows[-1])
    table.add_row(*_cells(profile.total))
    return table


def _cells(row: RowCost) -> tuple[str, ...]:
    output = " x ".join(str(side) for side in row.output)
    weights, multiply_adds, normalisation = (
        f"{count:,}" if count else "" for count in (row.weights, row.multiply_adds, row.normalisation)
    )
    return row.name, output, weights, row.paper.weights, multiply_adds, row.paper.multiply_adds, normalisation
