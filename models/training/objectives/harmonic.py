"""Harmonic embeddings (the appendix of FaceNet): train a network whose embeddings are compatible with an old network.

A batch is embedded by two networks: v1, which is fixed, and v2, which is in training. Triplets are mined among all
these embeddings, so anchor, positive and negative may each come from v1 or v2. The paper uses only these triplets, and
its v2 is the better network. A v2 that is smaller than v1 memorises the people of the training set, and its embeddings
move away from v1. So a distillation loss is added, which keeps v2 near v1.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from models.training.data.canvases import Canvases, Labels, Rows
from models.training.data.triplet_batches import TripletBatches
from models.training.objectives.base import ObjectiveLoss
from models.training.objectives.distillation import distillation_loss
from models.training.objectives.triplet_loss import triplet_loss
from models.training.objectives.triplet_mining import SemiHardMiner
from service.domain.embedding import Embeddings


@dataclass(frozen=True, slots=True, eq=False)
class HarmonicObjective:
    """Trains v2 by triplets that mix its embeddings with the embeddings of v1.

    v1_embeddings: (n, d) float32, of each canvas.
    people: (n,) int64, the person on each canvas.
    distillation_weight: the weight of the distillation loss.
    similarity_weight: the weight of the second term of the distillation loss.
    """

    canvases: Canvases
    v1_embeddings: Embeddings
    people: Labels
    batches: TripletBatches
    miner: SemiHardMiner
    distillation_weight: float
    similarity_weight: float
    head: nn.Module = field(default_factory=nn.Identity)

    def draw_rows(self, rng: np.random.Generator) -> Rows:
        """Draw some people with many faces each, and random negatives (`TripletBatches`)."""
        return self.batches.draw(rng)

    def loss(self, embeddings: Tensor, rows: Rows) -> ObjectiveLoss:
        """Return the mean loss of the triplets that are not only of v1, plus the weighted distillation loss."""
        v1 = torch.from_numpy(self.v1_embeddings[rows]).to(embeddings.device)
        people = torch.from_numpy(self.people[rows]).to(embeddings.device).repeat(2)
        stacked = torch.cat([embeddings, v1])
        is_v1 = torch.arange(len(stacked), device=stacked.device) >= len(embeddings)
        triplets = self.miner.mine(stacked.detach(), people).drop_fixed(is_v1)
        distillation = distillation_loss(embeddings, v1, self.similarity_weight)
        value = triplet_loss(stacked, triplets, self.miner.margin_sq_l2) + self.distillation_weight * distillation.value
        journal_values = {"triplets": float(len(triplets)), "pairs_with_a_negative": triplets.share_with_negative}
        return ObjectiveLoss(value, journal_values | distillation.journal_values)
