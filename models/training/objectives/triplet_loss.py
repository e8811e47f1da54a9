"""The triplet loss of FaceNet, section 3.1.

    L = sum over the triplets of max(0, |f(a) - f(p)|^2 - |f(a) - f(n)|^2 + margin)

f(x) is the embedding of a face x. A triplet is an anchor a, a positive p of the same person, and a negative n of
another person. The margin of the paper is 0.2. Distances are squared L2 distances of unit vectors, as everywhere in
this project. `triplet_mining.py` chooses the triplets.
"""

from typing import Protocol

from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from torch import Tensor

MARGIN_SQ_L2 = 0.2

SQUARED_L2 = LpDistance(power=2, normalize_embeddings=False)
"""Squared L2 distances of (n, d) and (m, d): (n, m).

It computes in float32, even under autocast. A distance that is computed as a product in bfloat16 has an error of 0.01.
"""


class Triplets(Protocol):
    """Triplets, as rows of a batch: three (t,) int64 tensors."""

    @property
    def anchors(self) -> Tensor: ...

    @property
    def positives(self) -> Tensor: ...

    @property
    def negatives(self) -> Tensor: ...


def triplet_loss(embeddings: Tensor, triplets: Triplets, margin_sq_l2: float = MARGIN_SQ_L2) -> Tensor:
    """Return the mean loss of the triplets that violate the margin. The paper has the sum.

    A batch gives between 0 and 70,000 triplets, and their number falls during training. With a sum, the size of a step
    would fall by the same factor. With the mean, a learning rate has the same effect during the whole run.

    embeddings: (n, d) float32, unit length.
    Returns () float32. It is 0, with a gradient of 0, if there is no triplet.
    """
    loss = TripletMarginLoss(margin=margin_sq_l2, distance=SQUARED_L2)
    value: Tensor = loss(embeddings, indices_tuple=(triplets.anchors, triplets.positives, triplets.negatives))
    return value
