"""The triplet loss and the choice of its triplets: FaceNet, sections 3.1 and 3.2.

    L = sum of max(0, |f(a) - f(p)|^2 - |f(a) - f(n)|^2 + margin)        margin 0.2

over triplets of an anchor a, a positive p of the same person and a negative n of another one. Distances are squared L2
of unit vectors, as everywhere in this project.

Triplets are chosen online, in one large batch: all anchor-positive pairs, and for each the nearest of its semi-hard
negatives, `d(a, p) < d(a, n) < d(a, p) + margin`. The hardest negatives of all, nearer than the positive, collapse a
network that knows nothing yet into a single point.

Harmonic embeddings (the paper's appendix) mix those of a fixed network, v1, with those in training, v2. Then the batch
is both of them stacked, (2 n, d), its people repeated, so that anchor, positive and negative each come from either. The
two embeddings of one photograph are a pair like any other: it is the one pair whose label is never wrong, and the very
one that a gallery of v1 is searched with. `Triplets.learnable` then leaves out what lies in v1 alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from torch import Tensor

from models.errors import TrainingError

MARGIN_SQ_L2 = 0.2

SQUARED_L2 = LpDistance(power=2, normalize_embeddings=False)
"""(n, d) and (m, d) -> (n, m). In float32 under autocast too: as a product of bfloat16 it would be wrong by 0.01."""

ANCHORS_AT_ONCE = 128
"""Rows of the distances that are looked at together: a few megabytes for a batch of thousands."""

Positives = Callable[[Tensor, Tensor], Tensor]
"""Which pairs are asked for: distances (r, n) float32 and same person (r, n) bool -> pairs (r, n) bool."""


@dataclass(frozen=True, slots=True, eq=False)
class Triplets:
    """anchors, positives, negatives: (t,) int64 rows of the batch. pairs: how many anchor-positive pairs there were."""

    anchors: Tensor
    positives: Tensor
    negatives: Tensor
    pairs: int

    def __len__(self) -> int:
        return len(self.anchors)

    @property
    def found(self) -> float:
        """The share of the pairs that have a semi-hard negative, in [0, 1]; 0 where there is no pair."""
        return len(self) / self.pairs if self.pairs else 0.0

    def learnable(self, fixed: Tensor) -> "Triplets":
        """Those with at least one row that is not fixed. What is left out counts neither as triplet nor as pair.

        fixed: (n,) bool, on the same device, the rows that no gradient moves. The loss is an average, and constants
        would dilute it.
        """
        moved = ~(fixed[self.anchors] & fixed[self.positives] & fixed[self.negatives])
        kept = self.anchors[moved], self.positives[moved], self.negatives[moved]
        return Triplets(*kept, self.pairs - int((~moved).sum()))


def triplet_loss(embeddings: Tensor, triplets: Triplets, margin_sq_l2: float = MARGIN_SQ_L2) -> Tensor:
    """The average of the loss over the triplets that violate the margin, where the paper has the sum.

    A batch gives anything from none to 70,000 triplets, fewer and fewer as training goes on, and with a sum the step
    would change as much; with an average the learning rate means the same all the time. 0, with a gradient of 0, where
    there is no triplet.

    embeddings: (n, d) float32, unit length. Returns () float32.
    """
    loss = TripletMarginLoss(margin=margin_sq_l2, distance=SQUARED_L2)
    value: Tensor = loss(embeddings, indices_tuple=(triplets.anchors, triplets.positives, triplets.negatives))
    return value


def every_positive(distances: Tensor, same: Tensor) -> Tensor:  # noqa: ARG001  # one of several ways to choose
    """All anchor-positive pairs: more stable than the hardest, and a little faster at first (section 3.2)."""
    return same


def hardest_positive(distances: Tensor, same: Tensor) -> Tensor:
    """For each anchor its furthest positive, the paper's alternative. Of several as far, one."""
    furthest = distances.masked_fill(~same, -torch.inf).argmax(dim=1, keepdim=True)
    return torch.zeros_like(same).scatter(1, furthest, value=True) & same


@dataclass(frozen=True, slots=True)
class SemiHardMiner:
    """Chooses triplets in a batch. positives: which anchor-positive pairs; the negatives are always semi-hard.

    pytorch-metric-learning's miner lists every triplet, 120 million in a batch of 1,800. This one sorts the negatives
    of an anchor once and searches them for each of its positives: O(n^2 log n) time, O(n) memory and the triplets.
    """

    positives: Positives = every_positive
    margin_sq_l2: float = MARGIN_SQ_L2

    @torch.no_grad()
    def mine(self, embeddings: Tensor, people: Tensor) -> Triplets:
        """For each pair the nearest semi-hard negative, and no triplet for a pair that has none.

        embeddings: (n, d) float32, unit length, n at least 1. people: (n,) int64, on the same device. Triplets come in
        the order of their anchors. Raises TrainingError for an embedding that is not finite.
        """
        if not embeddings.isfinite().all():
            raise TrainingError(
                "The network gives embeddings that are not finite numbers. Lower the recipe's learning rate, and begin "
                "anew with --out another folder."
            )
        rows = torch.arange(len(embeddings), device=embeddings.device)
        parts = [self._of_anchors(some, embeddings, people) for some in torch.split(rows, ANCHORS_AT_ONCE)]
        return Triplets(
            torch.cat([part.anchors for part in parts]),
            torch.cat([part.positives for part in parts]),
            torch.cat([part.negatives for part in parts]),
            sum(part.pairs for part in parts),
        )

    def _of_anchors(self, rows: Tensor, embeddings: Tensor, people: Tensor) -> Triplets:
        """The triplets whose anchors are these rows, (r,) int64."""
        distances = SQUARED_L2(embeddings[rows], embeddings)
        same = people[rows, None] == people
        ascending, order = distances.masked_fill(same, torch.inf).sort(dim=1)
        itself = rows[:, None] == torch.arange(len(people), device=rows.device)
        anchors, positives = self.positives(distances, same & ~itself).nonzero(as_tuple=True)
        d_ap = distances[anchors, positives]
        nearest = _first_greater(ascending, anchors, d_ap)
        found = ascending[anchors, nearest] < d_ap + self.margin_sq_l2
        negatives = order[anchors[found], nearest[found]]
        return Triplets(rows[anchors[found]], positives[found], negatives, len(anchors))


def _first_greater(ascending: Tensor, rows: Tensor, limits: Tensor) -> Tensor:
    """Where in row rows[i] the first value greater than limits[i] stands; there is one, as an anchor is infinitely far.

    ascending: (r, n) float32, each row sorted. rows: (k,) int64, sorted. limits: (k,) float32. Returns (k,) int64.
    """
    counts = rows.bincount(minlength=len(ascending))
    column = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    table = limits.new_zeros(len(ascending), int(counts.max()))
    table[rows, column] = limits
    return torch.searchsorted(ascending, table, right=True)[rows, column]
