"""What a network costs, row by row, beside what the paper prints (Tables 1 and 2, and section 3.3 for the others).

Counted on the very modules that train, on torch's meta device, which has shapes and no numbers, and the paper's way:
a multiply-add is one, there is one bias for each output channel, and it is added once for each output position. The
paper calls the multiply-adds FLOPS.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rich.table import Table
from torch import Tensor, nn

from models.architectures.network import Architecture, Network


@dataclass(frozen=True, slots=True)
class Printed:
    """A cell of the paper's for weights and one for multiply-adds, such as 9K and 115M; empty where it has none."""

    weights: str = ""
    multiply_adds: str = ""


NOTHING = Printed()

TABLE_1 = {
    "conv1": Printed("9K", "115M"),
    "conv2a": Printed("4K", "13M"),
    "conv2": Printed("111K", "335M"),
    "conv3a": Printed("37K", "29M"),
    "conv3": Printed("664K", "521M"),
    "conv4a": Printed("148K", "29M"),
    "conv4": Printed("885K", "173M"),
    "conv5a": Printed("66K", "13M"),
    "conv5": Printed("590K", "116M"),
    "conv6a": Printed("66K", "13M"),
    "conv6": Printed("590K", "116M"),
    "fc1": Printed("103M", "103M"),
    "fc2": Printed("34M", "34M"),
    "embedding": Printed("524K", "0.5M"),
    "total": Printed("140M", "1.6B"),
}

TABLE_2 = {
    "conv1": Printed("9K", "119M"),
    "2": Printed("115K", "360M"),
    "3a": Printed("164K", "128M"),
    "3b": Printed("228K", "179M"),
    "3c": Printed("398K", "108M"),
    "4a": Printed("545K", "107M"),
    "4b": Printed("595K", "117M"),
    "4c": Printed("654K", "128M"),
    "4d": Printed("722K", "142M"),
    "4e": Printed("717K", "56M"),
    "5a": Printed("1.6M", "78M"),
    "5b": Printed("1.6M", "78M"),
    "embedding": Printed("131K", "0.1M"),
    "total": Printed("7.5M", "1.6B"),
}

PAPER = {
    "nn1": TABLE_1,
    "nn2": TABLE_2,
    "nn4": {"total": Printed("6.6M", "285M")},
    "nns1": {"total": Printed("26M", "220M")},
    "nns2": {"total": Printed("4.3M", "20M")},
}
"""By network and row; `compact` is not the paper's, and of NN3 it prints the input alone."""

PAPER_DIMENSION = 128

Shapes = dict[nn.Module, tuple[int, ...]]
"""What each module gave for one crop."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A row. output: (h, w, channels), or (features,).

    weights: of convolutions and linear layers, with one bias for each output channel, whether the layer has it or the
    batch normalisation behind it. normalisation: its scales and shifts, the shifts being those biases.
    """

    name: str
    output: tuple[int, ...]
    weights: int
    multiply_adds: int
    normalisation: int
    printed: Printed = NOTHING


@dataclass(frozen=True, slots=True)
class Profile:
    """rows: in the network's order, the last being the embedding's linear layer. total: over them."""

    architecture: Architecture
    rows: tuple[Cost, ...]
    total: Cost


def profile(architecture: Architecture, dimension: int) -> Profile:
    """What the network costs at this dimension. The paper's cells are beside it at the paper's dimension, 128."""
    with torch.device("meta"):
        network = Network(architecture, dimension).eval()
        shapes = _shapes(network, torch.zeros(1, architecture.height, architecture.width, 3, dtype=torch.uint8))
    printed = PAPER.get(architecture.name, {}) if dimension == PAPER_DIMENSION else {}
    modules = [*network.trunk.named_children(), ("embedding", network.embedding)]
    rows = [_cost(name, module, shapes, printed.get(name, NOTHING)) for name, module in modules]
    return Profile(architecture, tuple(rows), _total(rows, printed.get("total", NOTHING)))


def _shapes(network: Network, crops: Tensor) -> Shapes:
    shapes: Shapes = {}

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        shapes[module] = tuple(output.shape)

    for module in network.modules():
        module.register_forward_hook(note)
    network(crops)
    return shapes


def _cost(name: str, module: nn.Module, shapes: Shapes, printed: Printed) -> Cost:
    layers = [one for one in module.modules() if isinstance(one, nn.Conv2d | nn.Linear)]
    weights = [layer.weight.numel() + layer.weight.shape[0] for layer in layers]
    positions = [math.prod(shapes[layer][2:]) for layer in layers]
    multiply_adds = sum(each * times for each, times in zip(weights, positions, strict=True))
    norms = [one for one in module.modules() if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d)]
    normalisation = sum(one.numel() for norm in norms for one in norm.parameters())
    _, channels, *size = shapes[module]
    return Cost(name, (*size, channels), sum(weights), multiply_adds, normalisation, printed)


def _total(rows: Sequence[Cost], printed: Printed) -> Cost:
    return Cost(
        "total",
        rows[-1].output,
        weights=sum(row.weights for row in rows),
        multiply_adds=sum(row.multiply_adds for row in rows),
        normalisation=sum(row.normalisation for row in rows),
        printed=printed,
    )


def table(costs: Profile) -> Table:
    """The profile as a terminal shows it; "paper" is the figure that the paper prints for the column before."""
    title = f"{costs.architecture.name}, {costs.architecture.height} x {costs.architecture.width}"
    shown = Table("row", "output", title=title)
    for column in ("weights", "paper", "multiply-adds", "paper", "batch norm"):
        shown.add_column(column, justify="right")
    for row in costs.rows:
        shown.add_row(*_cells(row), end_section=row is costs.rows[-1])
    shown.add_row(*_cells(costs.total))
    return shown


def _cells(row: Cost) -> tuple[str, ...]:
    output = " x ".join(str(side) for side in row.output)
    weights, multiply_adds, normalisation = (
        f"{count:,}" if count else "" for count in (row.weights, row.multiply_adds, row.normalisation)
    )
    return row.name, output, weights, row.printed.weights, multiply_adds, row.printed.multiply_adds, normalisation
