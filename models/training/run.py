"""A network in training: one step of it, and all that the next step depends on.

rate        of this step; in the first steps of some recipes the last layer alone
embed       (n, d) unit vectors, in chunks where memory asks for it
loss        the objective's, over the whole batch, whichever process embedded it
gradient, optimiser, average
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Tensor, amp, nn, optim

from models.architectures.network import Network
from models.errors import TrainingError
from models.gradient_cache import cached_step
from models.training.averaging import Average
from models.training.checkpoints import State
from models.training.distributed import World
from models.training.journal import Figures
from models.training.loader import Batch
from models.training.objectives.base import Loss, Objective, Rows
from models.training.recipes import Optimiser, Recipe

OPTIMISERS: dict[str, Callable[..., optim.Optimizer]] = {
    # As the framework of the paper's time had it: at 0 the first step would move every weight by the whole rate.
    "adagrad": partial(optim.Adagrad, initial_accumulator_value=0.1),
    "adamw": optim.AdamW,
    "sgd": partial(optim.SGD, momentum=0.9, nesterov=True),
}

PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
"""Of the network's passes; losses and weights are float32. float16's gradients are scaled, or most would vanish."""


class Run:
    """A network on its way towards an objective: takes steps, and can be written down and taken up again."""

    def __init__(self, recipe: Recipe, network: Network, objective: Objective, device: torch.device) -> None:
        self.recipe = recipe
        self.step = 0
        self.patience = Patience(recipe.patience)
        self._device = device
        self._objective = objective
        self._network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._head = objective.head.to(device)
        self.average = Average(network, recipe.average_decay)
        self._optimiser = optimiser(recipe.optimiser, [network, self._head])
        self._scaler = amp.GradScaler(device.type, enabled=recipe.precision == "float16")

    @property
    def over(self) -> bool:
        """Whether it is at its end: by its schedule, or because no better network is to be expected."""
        return self.step >= self.recipe.schedule.steps or self.patience.over

    @property
    def learning_rate(self) -> float:
        """Of the last step."""
        return float(self._optimiser.param_groups[0]["lr"])

    def parameters(self) -> Iterator[nn.Parameter]:
        """What is trained and kept."""
        yield from self._network.parameters()

    def take_step(self, batch: Batch, world: World) -> Figures:
        """Returns the loss and what else the objective says. Raises TrainingError where the loss is not finite."""
        self._prepare()
        loss = self._backward(torch.from_numpy(batch.crops).to(self._device), batch.rows, world)
        world.add_up(self._network.parameters())
        self._scaler.unscale_(self._optimiser)
        length = nn.utils.clip_grad_norm_(self._network.parameters(), self.recipe.optimiser.clip)
        # A gradient too large for float16 costs a step, and the next is scaled less: no reason to end the run.
        if not math.isfinite(loss.value.item() + (0.0 if self._scaler.is_enabled() else length.item())):
            raise TrainingError(
                f"The loss of step {self.step + 1} or its gradient is not a number. Lower the recipe's learning rate, "
                "and begin anew with --out another folder."
            )
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self.average.follow(self._network, self.step)
        self.step += 1
        return {"loss": loss.value.item(), **loss.figures}

    def _prepare(self) -> None:
        """The learning rate of this step, no gradients, and only the last layer in training where it comes first."""
        first = self.step < self.recipe.last_layer_steps
        self._network.train()
        self._network.trunk.train(not first).requires_grad_(not first)
        for group in self._optimiser.param_groups:
            group["lr"] = self.recipe.optimiser.learning_rate * self.recipe.schedule.factor(self.step)
        self._optimiser.zero_grad()

    def _backward(self, crops: Tensor, rows: Rows, world: World) -> Loss:
        """Embeds the crops, adds up gradients, and returns what the objective said."""
        said: list[Loss] = []

        def judged(embeddings: Tensor) -> Tensor:
            with torch.autocast(self._device.type, enabled=False):  # distances as products of bfloat16 are off by 0.01
                said.append(self._objective.loss(world.gather(embeddings), rows))
            return self._scaler.scale(said[0].value)

        with torch.autocast(self._device.type, PRECISIONS[self.recipe.precision], self.recipe.precision != "float32"):
            cached_step(self._network, crops, self.recipe.chunk, judged)
        return said[0]

    def state(self) -> State:
        """All that a step depends on, but for the recipe and the faces."""
        return {
            "step": self.step,
            "over": self.over,
            "patience": asdict(self.patience),
            "network": self._network.state_dict(),
            "average": self.average.network.state_dict(),
            "head": self._head.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def restore(self, state: State) -> None:
        """state: as `state` gave it."""
        self.step = state["step"]
        self.patience = Patience(**state["patience"])
        self._network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self._head.load_state_dict(state["head"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._scaler.load_state_dict(state["scaler"])


@dataclass(slots=True)
class Patience:
    """Ends a run where `looks` at the held-out people in a row brought no better VAL; never where it is None."""

    looks: int | None
    best_val: float = 0.0
    since: int = 0

    @property
    def over(self) -> bool:
        """Whether it is."""
        return self.looks is not None and self.since >= self.looks

    def see(self, val: float) -> None:
        """One look."""
        self.since = 0 if val > self.best_val else self.since + 1
        self.best_val = max(self.best_val, val)


def optimiser(numbers: Optimiser, modules: Iterable[nn.Module]) -> optim.Optimizer:
    """Weight decay holds the kernels alone: a bias or a scale that is drawn to zero gains nothing."""
    parameters = [one for module in modules for one in module.parameters()]
    kernels = {"params": [one for one in parameters if one.ndim > 1], "weight_decay": numbers.weight_decay}
    others = {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0}
    return OPTIMISERS[numbers.name]([kernels, others], lr=numbers.learning_rate)
