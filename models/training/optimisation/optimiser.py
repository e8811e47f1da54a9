"""The optimiser of a recipe."""

from collections.abc import Iterable

from torch import nn, optim

from models.training.recipes.settings import OptimiserSettings


def build_optimiser(settings: OptimiserSettings, modules: Iterable[nn.Module]) -> optim.Optimizer:
    """Return the optimiser of the parameters of these modules."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    # Weight decay is only for the weights of convolutions and linear layers. Biases, and the scales and shifts of batch
    # normalisation, have one dimension. Weight decay does not help them.
    kernels = [parameter for parameter in parameters if parameter.ndim > 1]
    others = [parameter for parameter in parameters if parameter.ndim <= 1]
    groups = [
        {"params": kernels, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    match settings.name:
        case "adagrad":
            return optim.Adagrad(groups, settings.learning_rate, initial_accumulator_value=settings.initial_accumulator)
        case "adamw":
            return optim.AdamW(groups, settings.learning_rate, settings.betas)
        case "sgd":
            return optim.SGD(groups, settings.learning_rate, settings.momentum, nesterov=True)
