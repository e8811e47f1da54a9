"""Classification with an angular margin (ArcFace, Deng et al., 2019): a start for triplets, or a recipe of its own.

Every person is a class with a centre on the sphere; the angle between a face and its own centre is made wider by the
margin before the softmax, so that classes keep their distance. The centres are left behind after training.
"""

from dataclasses import dataclass

import numpy as np
import torch
from pytorch_metric_learning.losses import ArcFaceLoss
from torch import Tensor, nn

from models.faces import FaceSet
from models.training.draws import Draw
from models.training.objectives.base import Canvases, Loss, Rows
from models.training.recipes import Classify


@dataclass(frozen=True, slots=True, eq=False)
class Classification:
    """people: (n,) int64, the class of each face. head: the classes' centres and the loss over them."""

    canvases: Canvases
    people: Rows
    faces: Draw
    head: nn.Module

    def draw(self, rng: np.random.Generator) -> Rows:
        """No face twice, people alike."""
        return self.faces.draw(rng)

    def loss(self, embeddings: Tensor, rows: Rows) -> Loss:
        """Softmax over cosines times the scale, averaged over the batch."""
        return Loss(self.head(embeddings, torch.from_numpy(self.people[rows]).to(embeddings.device)))


def classification(towards: Classify, faces: FaceSet, batch: int, dimension: int) -> Classification:
    """One class for each person who has a face."""
    names, people = np.unique(faces.people, return_inverse=True)
    head = ArcFaceLoss(len(names), dimension, margin=towards.margin_degrees, scale=towards.scale)
    return Classification(faces.canvases, people.astype(np.int64), Draw.by_people(people, batch), head)
