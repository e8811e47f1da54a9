"""Distillation: the student's embedding of any view of a face is to be the teacher's of the clean one.

`1 - cos` holds every embedding to its place, a term on the batch's similarity matrix holds the distances between them:
what 1.242 means, and what lets the student's probes be compared with the teacher's gallery (Park et al., 2019,
relational knowledge distillation). It needs no labels.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from models.training.draws import Draw
from models.training.objectives.base import Canvases, Loss, Rows
from service.domain import Embeddings


@dataclass(frozen=True, slots=True, eq=False)
class Distillation:
    """targets: (n, d) float32, the teacher's embedding of each canvas."""

    canvases: Canvases
    targets: Embeddings
    faces: Draw
    similarity_weight: float
    head: nn.Module = field(default_factory=nn.Identity)

    def draw(self, rng: np.random.Generator) -> Rows:
        """No face twice, people alike."""
        return self.faces.draw(rng)

    def loss(self, embeddings: Tensor, rows: Rows) -> Loss:
        """What `distilled` says of the batch."""
        return distilled(embeddings, torch.from_numpy(self.targets[rows]).to(embeddings.device), self.similarity_weight)


def distilled(embeddings: Tensor, targets: Tensor, similarity_weight: float) -> Loss:
    """`mean(1 - cos) + similarity_weight * mean((S_student - S_teacher)^2)`, S the matrix of cosines; both (n, d)."""
    apart, unlike = one_minus_cosine(embeddings, targets), similarity_error(embeddings, targets)
    figures = {"one_minus_cosine": apart.item(), "similarity_error": unlike.item()}
    return Loss(apart + similarity_weight * unlike, figures)


def one_minus_cosine(embeddings: Tensor, targets: Tensor) -> Tensor:
    """The mean over the rows of two (n, d) sets of unit vectors."""
    return 1 - (embeddings * targets).sum(dim=1).mean()


def similarity_error(embeddings: Tensor, targets: Tensor) -> Tensor:
    """The mean square of what the cosines within one set differ from those within the other."""
    return (embeddings @ embeddings.T - targets @ targets.T).square().mean()
