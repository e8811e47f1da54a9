"""Distillation: the network learns to return the embeddings of a teacher. It needs no labels.

For any augmented crop of a face, the embedding of the network should equal the teacher's embedding of the face without
augmentation. The loss has two terms. The first, `1 - cos`, moves each embedding towards the teacher's embedding. The
second compares the cosines within the batch (relational knowledge distillation, Park et al., 2019). It keeps the
distances between faces the same as with the teacher. So the threshold 1.242 keeps its meaning, and probes of the
network can be compared with a gallery of the teacher.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from models.training.data.canvases import Canvases, Rows
from models.training.data.sampling import FaceSampler
from models.training.objectives.base import ObjectiveLoss
from service.domain.embedding import Embeddings


@dataclass(frozen=True, slots=True, eq=False)
class DistillationObjective:
    """Moves the embedding of each face towards the embedding of the teacher.

    teacher_embeddings: (n, d) float32, of each canvas.
    similarity_weight: the weight of the second term of the loss.
    """

    canvases: Canvases
    teacher_embeddings: Embeddings
    sampler: FaceSampler
    similarity_weight: float
    head: nn.Module = field(default_factory=nn.Identity)

    def draw_rows(self, rng: np.random.Generator) -> Rows:
        """Draw different faces (`FaceSampler`)."""
        return self.sampler.draw(rng)

    def loss(self, embeddings: Tensor, rows: Rows) -> ObjectiveLoss:
        """Return `distillation_loss` of the batch."""
        teacher = torch.from_numpy(self.teacher_embeddings[rows]).to(embeddings.device)
        return distillation_loss(embeddings, teacher, self.similarity_weight)


def distillation_loss(embeddings: Tensor, teacher: Tensor, similarity_weight: float) -> ObjectiveLoss:
    """Return `mean(1 - cos) + similarity_weight * mean((S_network - S_teacher)^2)`.

    S is the matrix of the cosines between all faces of the batch.

    embeddings, teacher: (n, d) float32, unit length, of the same faces.
    """
    cosine_term = one_minus_cosine(embeddings, teacher)
    similarity_term = similarity_error(embeddings, teacher)
    journal_values = {"one_minus_cosine": cosine_term.item(), "similarity_error": similarity_term.item()}
    return ObjectiveLoss(cosine_term + similarity_weight * similarity_term, journal_values)


def one_minus_cosine(embeddings: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean of `1 - cos` over the rows. embeddings, teacher: (n, d), unit length."""
    return 1 - (embeddings * teacher).sum(dim=1).mean()


def similarity_error(embeddings: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean square difference of the cosines within the two sets. Each set is (n, d), unit length."""
    return (embeddings @ embeddings.T - teacher @ teacher.T).square().mean()
