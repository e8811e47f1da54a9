"""Classification with a margin: ArcFace (Deng et al., 2019) and CosFace (Wang et al., 2018).

Each person is a class. The centre of a class is a unit vector. Before the softmax, a margin makes a face less similar
to the centre of its class: ArcFace adds the margin to the angle between them, CosFace subtracts the margin from their
cosine. So the classes are separated by a margin. The centres are not exported. A network can be trained only by this
objective, or first by this objective and then by triplets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from pytorch_metric_learning.losses import ArcFaceLoss, CosFaceLoss
from torch import Tensor, nn

from models.training.data.canvases import Canvases, Labels, Rows
from models.training.data.face_set import FaceSet
from models.training.data.sampling import FaceSampler
from models.training.objectives.base import ObjectiveLoss
from models.training.random_streams import Purpose, torch_random_stream
from models.training.recipes.settings import ArcFaceSettings, ClassSettings, CosFaceSettings, Recipe


@dataclass(frozen=True, slots=True, eq=False)
class ClassificationObjective:
    """Predicts the person on each canvas.

    classes: (n,) int64, the class of each canvas.
    head: the centres of the classes, and the loss over them.
    """

    canvases: Canvases
    classes: Labels
    sampler: FaceSampler
    head: nn.Module

    def draw_rows(self, rng: np.random.Generator) -> Rows:
        """Draw different faces (`FaceSampler`)."""
        return self.sampler.draw(rng)

    def loss(self, embeddings: Tensor, rows: Rows) -> ObjectiveLoss:
        """Return the cross-entropy of the softmax over the scaled cosines, as the mean over the batch."""
        classes = torch.from_numpy(self.classes[rows]).to(embeddings.device)
        return ObjectiveLoss(self.head(embeddings, classes))


def build_arcface(settings: ArcFaceSettings, recipe: Recipe, faces: FaceSet) -> ClassificationObjective:
    """Return the objective of ArcFace. Raises TrainingError if there are fewer faces than a batch takes."""
    create_head = partial(ArcFaceLoss, margin=settings.margin_degrees, scale=settings.classes.scale)
    return _build(create_head, settings.classes, recipe, faces)


def build_cosface(settings: CosFaceSettings, recipe: Recipe, faces: FaceSet) -> ClassificationObjective:
    """Return the objective of CosFace. Raises TrainingError if there are fewer faces than a batch takes."""
    create_head = partial(CosFaceLoss, margin=settings.margin_cosine, scale=settings.classes.scale)
    return _build(create_head, settings.classes, recipe, faces)


def _build(
    create_head: Callable[[int, int], nn.Module], settings: ClassSettings, recipe: Recipe, faces: FaceSet
) -> ClassificationObjective:
    """Return the objective, with a class for each person who has a face.

    create_head: takes the number of classes, and the dimension of the embeddings.
    """
    # A held-out person leaves a gap in the numbers of people. The numbers of classes have no gaps.
    people, classes = np.unique(faces.people, return_inverse=True)
    head = create_head(len(people), recipe.dimension)
    # A separate generator: all processes of a run, and all runs of a recipe, must begin with the same centres.
    generator = torch_random_stream(recipe.seed, Purpose.CLASS_CENTRES)
    for centres in head.parameters():
        nn.init.normal_(centres, std=settings.centre_std, generator=generator)
    sampler = FaceSampler.by_people(classes, recipe.batch_size, settings.people_exponent)
    return ClassificationObjective(faces.canvases, classes.astype(np.int64), sampler, head)
