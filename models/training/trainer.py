"""The trainer: one step of training, and the state that the next step depends on.

`run_training_loop` (`loop.py`) calls `Trainer.train_step` for each batch. A step does this:

1. Set the learning rate of the step. In the first steps of some recipes, freeze all layers except the last.
2. Embed the crops, in chunks if memory requires it (`optimisation/gradient_cache.py`).
3. Gather the embeddings of all processes, and compute the objective's loss of the whole batch.
4. Run the backward pass. Sum the gradients over the processes, and clip them.
5. Let the optimiser change the weights, and update the averaged weights.
"""

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, amp, nn

from models.architectures import Network
from models.errors import TrainingError
from models.training.checkpoints import State
from models.training.data.canvases import Rows
from models.training.data.loader import Batch
from models.training.distributed import World
from models.training.journal import JournalValues
from models.training.objectives.base import Objective, ObjectiveLoss
from models.training.optimisation.averaging import WeightAverage
from models.training.optimisation.gradient_cache import cached_step
from models.training.optimisation.optimiser import build_optimiser
from models.training.recipes.settings import Recipe

AUTOCAST_TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
"""The number type of the forward and backward passes. Losses and weights are always float32."""


class Trainer:
    """A network in training. Its state can be saved and restored between two steps.

    step: how many steps are done.
    weight_average: the averaged network, which is evaluated and exported.
    """

    def __init__(self, recipe: Recipe, network: Network, objective: Objective, device: torch.device) -> None:
        self.recipe = recipe
        self.step = 0
        self.early_stopping = EarlyStopping(recipe.patience)
        self._device = device
        self._objective = objective
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._head = objective.head.to(device)
        self._parameters = [*self.network.parameters(), *self._head.parameters()]
        self.weight_average = WeightAverage(network, recipe.average)
        self._optimiser = build_optimiser(recipe.optimiser, [network, self._head])
        # float16 has no positive values below 6e-8, so most gradients would become 0. The scaler multiplies the loss by
        # a large factor, and so all gradients too. bfloat16 has the range of float32 and needs no scaler.
        self._scaler = amp.GradScaler(device.type, enabled=recipe.precision == "float16")

    @property
    def finished(self) -> bool:
        """Whether the run ended, by its schedule or by early stopping."""
        return self.step >= self.recipe.schedule.steps or self.early_stopping.should_stop

    @property
    def learning_rate(self) -> float:
        """The learning rate of the last step."""
        return float(self._optimiser.param_groups[0]["lr"])

    def train_step(self, batch: Batch, world: World) -> JournalValues:
        """Train on one batch. Returns the loss and the other values of the objective.

        Raises TrainingError if the loss is not finite.
        """
        self._prepare_step()
        loss = self._add_gradients(torch.from_numpy(batch.crops).to(self._device), batch.rows, world)
        # Every process computes the loss of the whole batch. So the head's gradients are complete, and are not summed.
        world.sum_gradients(self.network.parameters())
        self._scaler.unscale_(self._optimiser)  # before the clipping, which needs the true length of the gradient
        gradient_length = nn.utils.clip_grad_norm_(self._parameters, self.recipe.optimiser.clip)
        self._require_finite(loss.value, gradient_length)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self.weight_average.update(self.network, self.step)
        self.step += 1
        return {"loss": loss.value.item(), **loss.journal_values}

    def _prepare_step(self) -> None:
        last_layer_only = self.step < self.recipe.last_layer_steps
        self.network.train()
        self.network.trunk.train(not last_layer_only).requires_grad_(not last_layer_only)
        rate = self.recipe.optimiser.learning_rate * self.recipe.schedule.learning_rate_factor(self.step)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad()

    def _add_gradients(self, crops: Tensor, rows: Rows, world: World) -> ObjectiveLoss:
        """Add the gradients of this process's share to the parameters. Returns the loss of the whole batch."""
        losses: list[ObjectiveLoss] = []

        def scaled_loss(embeddings: Tensor) -> Tensor:
            # Autocast is off in the loss. A distance that is computed as a product in bfloat16 has an error of 0.01.
            with torch.autocast(self._device.type, enabled=False):
                losses.append(self._objective.loss(world.gather(embeddings), rows))
            return self._scaler.scale(losses[0].value)

        number_type = AUTOCAST_TYPES[self.recipe.precision]
        with torch.autocast(self._device.type, number_type, self.recipe.precision != "float32"):
            cached_step(self.network, crops, self.recipe.chunk_size, scaled_loss)
        return losses[0]

    def _require_finite(self, loss: Tensor, gradient_length: Tensor) -> None:
        # With float16, an infinite gradient may be caused only by the scale. The scaler then skips the step and halves
        # the scale for the next step, so the run continues.
        finite_gradient = self._scaler.is_enabled() or math.isfinite(gradient_length.item())
        if not (math.isfinite(loss.item()) and finite_gradient):
            raise TrainingError(
                f"The loss of step {self.step + 1} or its gradient is not a finite number. Lower the learning rate of "
                "the recipe, and start again with --out another folder."
            )

    def state(self) -> State:
        """Return all that the next step depends on, except the recipe and the faces."""
        return {
            "step": self.step,
            "finished": self.finished,
            "early_stopping": asdict(self.early_stopping),
            "network": self.network.state_dict(),
            "weight_average": self.weight_average.network.state_dict(),
            "head": self._head.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def restore(self, state: State) -> None:
        """Continue from a state that `state` returned."""
        self.step = state["step"]
        self.early_stopping = EarlyStopping(**state["early_stopping"])
        self.network.load_state_dict(state["network"])
        self.weight_average.network.load_state_dict(state["weight_average"])
        self._head.load_state_dict(state["head"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._scaler.load_state_dict(state["scaler"])


@dataclass(slots=True)
class EarlyStopping:
    """Stops a run if `patience` evaluations in a row do not raise VAL on the held-out people.

    patience: None never stops a run.
    """

    patience: int | None
    best_val: float = 0.0
    evaluations_since_best: int = 0

    @property
    def should_stop(self) -> bool:
        return self.patience is not None and self.evaluations_since_best >= self.patience

    def add(self, val: float) -> None:
        """Count one evaluation. val: VAL on the held-out people."""
        self.evaluations_since_best = 0 if val > self.best_val else self.evaluations_since_best + 1
        self.best_val = max(self.best_val, val)
