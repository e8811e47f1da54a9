"""The moving average of the weights. It is evaluated and exported. It changes less between steps than the weights."""

from collections.abc import Iterable
from copy import deepcopy

import torch
from torch import Tensor, nn

from models.training.recipes.settings import AverageSettings


class WeightAverage:
    """An exponential moving average of a network's weights and running statistics.

    network: a copy of the network, in evaluation mode, with the averaged weights.
    """

    def __init__(self, network: nn.Module, settings: AverageSettings) -> None:
        self.network = deepcopy(network).eval().requires_grad_(requires_grad=False)
        self._settings = settings

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move the average towards the weights. Call it after each step. step: the number of the step, from 0."""
        new_share = 1 - min(self._settings.decay, (1 + step) / (self._settings.warm_up + step))
        for average, current in zip(_state(self.network), _state(network), strict=True):
            if average.is_floating_point():
                average.lerp_(current, new_share)
            else:
                average.copy_(current)  # a counter, such as num_batches_tracked of batch normalisation


def _state(network: nn.Module) -> Iterable[Tensor]:
    return network.state_dict().values()
