"""The networks by name: the paper's six, and `compact`. To add one, write its Architecture and a line here."""

import difflib

from torch import nn

from models.architectures.compact import COMPACT
from models.architectures.inception import NN2, NN3, NN4, NNS1, NNS2
from models.architectures.network import Architecture, Network
from models.architectures.zeiler_fergus import NN1
from models.errors import UnknownModel

__all__ = ["ARCHITECTURES", "Architecture", "Network", "architecture", "build"]

ARCHITECTURES: dict[str, Architecture] = {one.name: one for one in (NN1, NN2, NN3, NN4, NNS1, NNS2, COMPACT)}


def build(name: str, dimension: int = 128) -> Network:
    """A network with random weights, He's normal ones (2015), and biases of zero.

    dimension: of the embeddings; the paper has 64, 128, 256 and 512 (Table 5). Raises UnknownModel, naming the nearest.
    """
    network = Network(architecture(name), dimension)
    return network.apply(_initialise)


def architecture(name: str) -> Architecture:
    """The network's input and table by its name. Raises UnknownModel, naming the nearest."""
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    near = difflib.get_close_matches(name.lower(), ARCHITECTURES, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UnknownModel(f"There is no network {name}; {hint}There are {', '.join(ARCHITECTURES)}.")


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
