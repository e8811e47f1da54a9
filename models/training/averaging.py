"""The average of the weights over the last steps: what is evaluated and exported, steadier than the last step's."""

from collections.abc import Iterable
from copy import deepcopy

import torch
from torch import Tensor, nn


class Average:
    """An exponential moving average of a network's weights and running statistics.

    It takes up quickly at first: after t steps it looks back over at most t / 10 of them.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = deepcopy(network).eval().requires_grad_(requires_grad=False)
        self._decay = decay

    @torch.no_grad()
    def follow(self, network: nn.Module, step: int) -> None:
        """step: how many there were before this one."""
        share = 1 - min(self._decay, (1 + step) / (10 + step))
        for mine, theirs in zip(_state(self.network), _state(network), strict=True):
            if mine.is_floating_point():
                mine.lerp_(theirs, share)
            else:
                mine.copy_(theirs)


def _state(network: nn.Module) -> Iterable[Tensor]:
    return network.state_dict().values()
