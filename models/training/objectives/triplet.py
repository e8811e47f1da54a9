"""The objective of FaceNet: batches of people with many faces each, and the triplet loss (section 3.2)."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from models.training.data.canvases import Canvases, Labels, Rows
from models.training.data.triplet_batches import TripletBatches
from models.training.objectives.base import ObjectiveLoss
from models.training.objectives.triplet_loss import triplet_loss
from models.training.objectives.triplet_mining import SemiHardMiner


@dataclass(frozen=True, slots=True, eq=False)
class TripletObjective:
    """Makes the distances within a person smaller than the distances to other people.

    people: (n,) int64, the person on each canvas.
    """

    canvases: Canvases
    people: Labels
    batches: TripletBatches
    miner: SemiHardMiner
    head: nn.Module = field(default_factory=nn.Identity)

    def draw_rows(self, rng: np.random.Generator) -> Rows:
        """Draw some people with many faces each, and random negatives (`TripletBatches`)."""
        return self.batches.draw(rng)

    def loss(self, embeddings: Tensor, rows: Rows) -> ObjectiveLoss:
        """Return the mean loss of the mined triplets, or 0 if there is no triplet."""
        people = torch.from_numpy(self.people[rows]).to(embeddings.device)
        triplets = self.miner.mine(embeddings.detach(), people)
        journal_values = {"triplets": float(len(triplets)), "pairs_with_a_negative": triplets.share_with_negative}
        return ObjectiveLoss(triplet_loss(embeddings, triplets, self.miner.margin_sq_l2), journal_values)
