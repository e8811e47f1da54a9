"""FaceNet's own objective: a batch of people with many faces each, and the semi-hard triplets in it (section 3.2)."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from models.batches import Batches
from models.training.objectives.base import Canvases, Loss, Rows
from models.triplets import SemiHardMiner, triplet_loss


@dataclass(frozen=True, slots=True, eq=False)
class TripletLearning:
    """people: (n,) int64, of every face."""

    canvases: Canvases
    people: Rows
    batches: Batches
    miner: SemiHardMiner
    head: nn.Module = field(default_factory=nn.Identity)

    def draw(self, rng: np.random.Generator) -> Rows:
        """About 40 faces a person, and random negatives."""
        return self.batches.draw(rng)

    def loss(self, embeddings: Tensor, rows: Rows) -> Loss:
        """The average over the triplets found, 0 where there is none."""
        people = torch.from_numpy(self.people[rows]).to(embeddings.device)
        triplets = self.miner.mine(embeddings.detach(), people)
        figures = {"triplets": float(len(triplets)), "pairs_with_a_negative": triplets.found}
        return Loss(triplet_loss(embeddings, triplets, self.miner.margin_sq_l2), figures)
