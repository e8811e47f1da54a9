"""Harmonic embeddings (FaceNet's appendix): a new network whose embeddings can be compared with an old one's.

The batch is embedded by both, v1 fixed and v2 in training, and triplets are chosen among all of these vectors: anchor,
positive and negative each from either. The paper trains by these alone, where v2 is the better network; distillation
beside them keeps a small one near v1, which it leaves otherwise for what it knows by heart of the people trained on.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from models.batches import Batches
from models.training.objectives.base import Canvases, Loss, Rows
from models.training.objectives.distillation import distilled
from models.triplets import SemiHardMiner, triplet_loss
from service.domain import Embeddings


@dataclass(frozen=True, slots=True, eq=False)
class Harmony:
    """fixed: (n, d) float32, what v1 says of every face. people: (n,) int64."""

    canvases: Canvases
    fixed: Embeddings
    people: Rows
    batches: Batches
    miner: SemiHardMiner
    distil_weight: float
    similarity_weight: float
    head: nn.Module = field(default_factory=nn.Identity)

    def draw(self, rng: np.random.Generator) -> Rows:
        """About 40 faces a person, and random negatives."""
        return self.batches.draw(rng)

    def loss(self, embeddings: Tensor, rows: Rows) -> Loss:
        """The average over the mixed triplets that v2 has a part in, and the weighted loss of distillation from v1."""
        v1 = torch.from_numpy(self.fixed[rows]).to(embeddings.device)
        people = torch.from_numpy(self.people[rows]).to(embeddings.device).repeat(2)
        both = torch.cat([embeddings, v1])
        triplets = self.miner.mine(both.detach(), people).learnable(
            torch.arange(len(both), device=both.device) >= len(v1)
        )
        near = distilled(embeddings, v1, self.similarity_weight)
        figures = {"triplets": float(len(triplets)), "pairs_with_a_negative": triplets.found, **near.figures}
        mixed = triplet_loss(both, triplets, self.miner.margin_sq_l2)
        return Loss(mixed + self.distil_weight * near.value, figures)
