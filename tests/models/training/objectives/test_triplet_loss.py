"""The triplet loss equals its formula, as a mean."""

import pytest
import torch
from torch import Tensor
from torch.autograd import grad

from models.training.objectives.triplet_loss import MARGIN_SQ_L2, triplet_loss
from models.training.objectives.triplet_mining import MinedTriplets, SemiHardMiner
from tests.models.training.objectives.embeddings import CORNERS, random_batch


def loss_by_formula(embeddings: Tensor, triplets: MinedTriplets) -> Tensor:
    anchors, positives, negatives = (
        embeddings[rows] for rows in (triplets.anchors, triplets.positives, triplets.negatives)
    )
    d_ap, d_an = (anchors - positives).square().sum(1), (anchors - negatives).square().sum(1)
    return (d_ap - d_an + 0.2).clamp(min=0.0).mean()


def test_the_loss_and_its_gradient_are_the_mean_of_the_papers_formula() -> None:
    batch = random_batch(2, 200, 12, 0.7)
    triplets = SemiHardMiner().mine(*batch)
    embeddings = batch.embeddings.requires_grad_()

    loss, expected = triplet_loss(embeddings, triplets), loss_by_formula(embeddings, triplets)

    assert len(triplets) > 100
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(grad(loss, embeddings), grad(expected, embeddings), rtol=1e-4, atol=1e-6)


def test_triplets_that_keep_the_margin_do_not_count_in_the_mean() -> None:
    embeddings = CORNERS[[16, 16, 20, 16]]  # d(a, p) = 0, d(a, n) = 4 or 0
    one_easy_one_hard = MinedTriplets(torch.tensor([0, 0]), torch.tensor([1, 1]), torch.tensor([2, 3]), pairs=2)

    assert triplet_loss(embeddings, one_easy_one_hard) == pytest.approx(MARGIN_SQ_L2)


def test_without_a_triplet_the_loss_and_its_gradient_are_zero() -> None:
    embeddings = random_batch(0, 12, 3, 0.5).embeddings.requires_grad_()

    loss = triplet_loss(embeddings, SemiHardMiner().mine(embeddings, torch.arange(12)))

    assert loss == 0.0
    assert not grad(loss, embeddings)[0].any()


def test_the_loss_is_the_same_under_autocast() -> None:
    batch = random_batch(4, 100, 8, 0.7)
    triplets = SemiHardMiner().mine(*batch)

    with torch.autocast("cpu", torch.bfloat16):
        loss = triplet_loss(batch.embeddings, triplets)

    assert loss == triplet_loss(batch.embeddings, triplets)
