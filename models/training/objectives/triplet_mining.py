"""The choice of triplets in a batch (FaceNet, section 3.2).

The miner takes all anchor-positive pairs of one large batch. For each pair it takes the nearest semi-hard negative:
`d(a, p) < d(a, n) < d(a, p) + margin`. Hard negatives are nearer to the anchor than the positive. They are not used,
because in an untrained network they make all embeddings collapse into a single point.

Harmonic embeddings (the appendix of the paper) mix the embeddings of a fixed network, v1, with the embeddings of the
network in training, v2. The batch is then the two sets stacked, (2 n, d), with the people repeated. So anchor, positive
and negative may each come from v1 or v2. The two embeddings of one photograph are an anchor-positive pair too. The
label of this pair is never wrong. Such pairs teach v2 to find its probes in a gallery of v1. Then
`MinedTriplets.drop_fixed` drops the triplets that are only of v1.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.errors import TrainingError
from models.training.objectives.triplet_loss import MARGIN_SQ_L2, SQUARED_L2

ANCHORS_PER_CHUNK = 128
"""How many anchors are mined at once. Their distances take a few megabytes in a batch of thousands of faces."""

SelectPositives = Callable[[Tensor, Tensor], Tensor]
"""Selects anchor-positive pairs.

It takes the distances, (r, n) float32, and which pairs are of one person, (r, n) bool. It returns the selected pairs,
(r, n) bool.
"""


@dataclass(frozen=True, slots=True, eq=False)
class MinedTriplets:
    """The triplets of a batch.

    anchors, positives, negatives: (t,) int64, rows of the batch.
    pairs: how many anchor-positive pairs were selected, with or without a semi-hard negative.
    """

    anchors: Tensor
    positives: Tensor
    negatives: Tensor
    pairs: int

    def __len__(self) -> int:
        return len(self.anchors)

    @property
    def share_with_negative(self) -> float:
        """The share of the pairs that have a semi-hard negative, in [0, 1]. It is 0 if there is no pair."""
        return len(self) / self.pairs if self.pairs else 0.0

    def drop_fixed(self, fixed: Tensor) -> "MinedTriplets":
        """Return the triplets with at least one row that is not fixed.

        The loss of a dropped triplet is a constant. The loss of the batch is a mean, so a constant would make the
        gradient of the other triplets smaller. A dropped triplet does not count in `pairs` either.

        fixed: (n,) bool on the same device, True for a row that no gradient changes.
        """
        dropped = fixed[self.anchors] & fixed[self.positives] & fixed[self.negatives]
        kept = self.anchors[~dropped], self.positives[~dropped], self.negatives[~dropped]
        return MinedTriplets(*kept, self.pairs - int(dropped.sum()))


def all_positives(distances: Tensor, same_person: Tensor) -> Tensor:  # noqa: ARG001  # the signature of SelectPositives
    """Select all anchor-positive pairs. The paper found this more stable than the hardest positives (section 3.2)."""
    return same_person


def hardest_positive(distances: Tensor, same_person: Tensor) -> Tensor:
    """Select the furthest positive of each anchor, which is the paper's alternative.

    If several are equally far, one of them is selected.
    """
    furthest = distances.masked_fill(~same_person, -torch.inf).argmax(dim=1, keepdim=True)
    # For an anchor without a positive, argmax also returns a column. `& same_person` removes that pair.
    return torch.zeros_like(same_person).scatter(1, furthest, value=True) & same_person


@dataclass(frozen=True, slots=True)
class SemiHardMiner:
    """Chooses the triplets of a batch. The negatives are always semi-hard.

    The miner of pytorch-metric-learning lists every possible triplet: 120 million in a batch of 1,800. This miner sorts
    the negatives of an anchor once. For each positive of the anchor it then makes a binary search. It needs
    O(n^2 log n) time, and O(n) memory in addition to the triplets.

    select_positives: which anchor-positive pairs are used.
    """

    select_positives: SelectPositives = all_positives
    margin_sq_l2: float = MARGIN_SQ_L2

    @torch.no_grad()
    def mine(self, embeddings: Tensor, people: Tensor) -> MinedTriplets:
        """Return a triplet for each anchor-positive pair that has a semi-hard negative, in the order of the anchors.

        embeddings: (n, d) float32, unit length.
        people: (n,) int64, on the same device.
        Raises TrainingError if the batch is empty, or if an embedding is not finite.
        """
        if not len(embeddings):
            raise TrainingError("The batch has no face. Give the recipe a batch_size of at least 1.")
        if not embeddings.isfinite().all():
            raise TrainingError(
                "The network returns embeddings that are not finite numbers. Lower the learning rate of the recipe, "
                "and start again with --out another folder."
            )
        rows = torch.arange(len(embeddings), device=embeddings.device)
        # Mining needs the distances, the sorted distances and their order. With all anchors at once, this is 52 MB for
        # a batch of 1,800, and four times as much for twice the faces. With chunks of anchors, it grows linearly.
        chunks = [self._mine_anchors(anchors, embeddings, people) for anchors in torch.split(rows, ANCHORS_PER_CHUNK)]
        return MinedTriplets(
            torch.cat([chunk.anchors for chunk in chunks]),
            torch.cat([chunk.positives for chunk in chunks]),
            torch.cat([chunk.negatives for chunk in chunks]),
            sum(chunk.pairs for chunk in chunks),
        )

    def _mine_anchors(self, rows: Tensor, embeddings: Tensor, people: Tensor) -> MinedTriplets:
        """Return the triplets with these anchors. rows: (r,) int64."""
        distances = SQUARED_L2(embeddings[rows], embeddings)
        same_person = people[rows, None] == people
        # Sort the negatives of each anchor once, O(n log n). The negative of each positive is then found by binary
        # search, O(log n). Faces of the same person count as infinitely far, so they are never a negative.
        sorted_distances, order = distances.masked_fill(same_person, torch.inf).sort(dim=1)
        is_anchor = rows[:, None] == torch.arange(len(people), device=rows.device)
        anchors, positives = self.select_positives(distances, same_person & ~is_anchor).nonzero(as_tuple=True)
        d_ap = distances[anchors, positives]
        nearest = _first_greater(sorted_distances, anchors, d_ap)
        # `nearest` is the first negative that is further than the positive. If it is also outside the margin, the pair
        # has no semi-hard negative, and no triplet is made. All further negatives would have a loss of 0. All nearer
        # negatives are hard negatives.
        semi_hard = sorted_distances[anchors, nearest] < d_ap + self.margin_sq_l2
        negatives = order[anchors[semi_hard], nearest[semi_hard]]
        return MinedTriplets(rows[anchors[semi_hard]], positives[semi_hard], negatives, len(anchors))


def _first_greater(sorted_rows: Tensor, rows: Tensor, limits: Tensor) -> Tensor:
    """Return the column of the first value in `sorted_rows[rows[i]]` that is greater than limits[i].

    Such a column always exists, because the distance of an anchor to itself counts as infinite.

    sorted_rows: (r, n) float32, each row ascending.
    rows: (k,) int64, ascending.
    limits: (k,) float32.
    Returns (k,) int64.
    """
    # searchsorted needs one row of limits for each sorted row. So the limits are put into a table with one row for each
    # anchor. Its width is the largest number of pairs of an anchor. `column` numbers the pairs of each anchor 0, 1, ...
    counts = rows.bincount(minlength=len(sorted_rows))
    column = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    table = limits.new_zeros(len(sorted_rows), int(counts.max()))
    table[rows, column] = limits
    return torch.searchsorted(sorted_rows, table, right=True)[rows, column]
