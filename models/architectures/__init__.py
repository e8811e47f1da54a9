"""The networks that can be trained: the six of the paper, and `compact`.

network.py         what every network has in common: `Architecture` describes a network, `Network` is its PyTorch module
blocks.py          the rows that the tables of the networks consist of, and `stack`, which builds a network from a table
zeiler_fergus.py   NN1 (Table 1 of the paper)
inception.py       NN2 (Table 2), NN3, NN4, NNS1 and NNS2
compact.py         `compact`, which is not from the paper
profile.py         the weights and multiply-adds of each row, beside the numbers that the paper prints

To add a network, write its `Architecture` in a new file and add it to ARCHITECTURES below.
"""

import difflib

from torch import nn

from models.architectures.compact import COMPACT
from models.architectures.inception import NN2, NN3, NN4, NNS1, NNS2
from models.architectures.network import Architecture, Network
from models.architectures.zeiler_fergus import NN1
from models.errors import UnknownModel

__all__ = ["ARCHITECTURES", "Architecture", "Network", "build_network", "find_architecture"]

ARCHITECTURES: dict[str, Architecture] = {
    architecture.name: architecture for architecture in (NN1, NN2, NN3, NN4, NNS1, NNS2, COMPACT)
}


def build_network(name: str, dimension: int = 128) -> Network:
    """Return a network with random weights, and biases of zero. Raises UnknownModel if there is no such network.

    The weights are drawn from a normal distribution as in He et al., 2015.
    dimension: of the embeddings. The paper compares 64, 128, 256 and 512 (Table 5).
    """
    network = Network(find_architecture(name), dimension)
    return network.apply(_initialise)


def find_architecture(name: str) -> Architecture:
    """Return the architecture of this name. Raises UnknownModel, with the most similar name, if there is none."""
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    similar = difflib.get_close_matches(name.lower(), ARCHITECTURES, n=1)
    hint = f"Did you mean {similar[0]}? " if similar else ""
    raise UnknownModel(f"There is no network {name}. {hint}The networks are {', '.join(ARCHITECTURES)}.")


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
