"""The miner beside a loop over every triplet, the loss beside its formula."""

import itertools
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import grad
from torch.nn import functional

from models.errors import TrainingError
from models.triplets import (
    ANCHORS_AT_ONCE,
    MARGIN_SQ_L2,
    SQUARED_L2,
    SemiHardMiner,
    Triplets,
    hardest_positive,
    triplet_loss,
)

Found = dict[tuple[int, int], float]
"""(anchor, positive) -> the distance of the negative that was chosen."""

CORNERS = torch.tensor([*itertools.product([0.5, -0.5], repeat=4), *torch.eye(4).tolist(), *(-torch.eye(4)).tolist()])
"""Unit vectors whose squared distances are whole numbers, without rounding: ties everywhere."""


class Batch(NamedTuple):
    """embeddings: (n, d). people: (n,)."""

    embeddings: Tensor
    people: Tensor


def _batch(seed: int, faces: int, people: int, spread: float) -> Batch:
    """Faces around their people, who are all in one half of the sphere, so that many are near one another."""
    generator = torch.Generator().manual_seed(seed)
    who = torch.randint(people, (faces,), generator=generator)
    centres = torch.randn(people, 6, generator=generator) + 1.0
    noise = torch.randn(faces, 6, generator=generator)
    return Batch(functional.normalize(centres[who] + spread * noise), who)


def _slowly(batch: Batch, margin: float, *, hardest: bool = False) -> Found:
    """All triplets, one after the other."""
    distances = SQUARED_L2(batch.embeddings, batch.embeddings).numpy()
    people = batch.people.tolist()
    everyone = range(len(people))
    found: Found = {}
    for a in everyone:
        negatives = [distances[a, n] for n in everyone if people[n] != people[a]]
        positives = [p for p in everyone if people[p] == people[a] and p != a]
        if hardest and positives:
            positives = [max(positives, key=distances[a].tolist().__getitem__)]
        for p in positives:
            semi_hard = [d for d in negatives if distances[a, p] < d < distances[a, p] + margin]
            if semi_hard:
                found[a, p] = float(min(semi_hard))
    return found


def _found(triplets: Triplets, batch: Batch) -> Found:
    distances = SQUARED_L2(batch.embeddings, batch.embeddings)
    assert (batch.people[triplets.negatives] != batch.people[triplets.anchors]).all()
    rows = zip(triplets.anchors.tolist(), triplets.positives.tolist(), triplets.negatives.tolist(), strict=True)
    found = {(a, p): float(distances[a, n]) for a, p, n in rows}
    assert len(found) == len(triplets)
    return found


def _pairs(people: Tensor) -> int:
    counts = people.bincount()
    return int((counts * (counts - 1)).sum())


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 24), st.integers(1, 6), st.sampled_from([0.1, 0.5, 2.0]))
def test_each_pair_gets_its_nearest_semi_hard_negative(seed: int, faces: int, people: int, spread: float) -> None:
    batch = _batch(seed, faces, people, spread)

    triplets = SemiHardMiner().mine(*batch)

    assert _found(triplets, batch) == _slowly(batch, MARGIN_SQ_L2)
    assert triplets.pairs == _pairs(batch.people)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 24), st.integers(1, 6))
def test_the_furthest_positive_alone_is_paired_where_that_is_asked_for(seed: int, faces: int, people: int) -> None:
    batch = _batch(seed, faces, people, 0.5)

    triplets = SemiHardMiner(hardest_positive).mine(*batch)

    assert _found(triplets, batch) == _slowly(batch, MARGIN_SQ_L2, hardest=True)
    assert triplets.pairs == int((batch.people.bincount() > 1)[batch.people].sum())


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 24), st.sampled_from([0.5, 1.0, 1.5, 5.0]))
def test_what_is_exactly_as_far_as_the_positive_or_the_margin_is_not_semi_hard(
    seed: int, faces: int, margin: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    corners = CORNERS[torch.randint(len(CORNERS), (faces,), generator=generator)]
    batch = Batch(corners, torch.randint(3, (faces,), generator=generator))

    triplets = SemiHardMiner(margin_sq_l2=margin).mine(*batch)

    assert _found(triplets, batch) == _slowly(batch, margin)


def test_of_several_furthest_positives_one_is_paired() -> None:
    batch = Batch(CORNERS[[0, 16, 17, 18, 19, 5]], torch.tensor([0, 0, 0, 0, 0, 1]))

    triplets = SemiHardMiner(hardest_positive, margin_sq_l2=4.0).mine(*batch)

    assert triplets.pairs == 5


def test_a_batch_larger_than_what_is_looked_at_together_is_mined_whole() -> None:
    faces = ANCHORS_AT_ONCE + 9
    generator = torch.Generator().manual_seed(3)
    corners = CORNERS[torch.randint(len(CORNERS), (faces,), generator=generator)]
    batch = Batch(corners, torch.arange(faces) % 50)

    triplets = SemiHardMiner(margin_sq_l2=1.5).mine(*batch)

    assert _found(triplets, batch) == _slowly(batch, 1.5)
    assert triplets.anchors.tolist() == sorted(triplets.anchors.tolist())


@pytest.mark.parametrize(("miner", "pairs"), [(SemiHardMiner(), 12 * 11), (SemiHardMiner(hardest_positive), 12)])
def test_one_person_alone_gives_pairs_and_no_triplet(miner: SemiHardMiner, pairs: int) -> None:
    triplets = miner.mine(*_batch(0, 12, 1, 0.5))

    assert (len(triplets), triplets.pairs, triplets.found) == (0, pairs, 0.0)


@pytest.mark.parametrize("miner", [SemiHardMiner(), SemiHardMiner(hardest_positive)])
def test_faces_of_as_many_people_give_no_pair(miner: SemiHardMiner) -> None:
    batch = _batch(0, 12, 1, 0.5)

    triplets = miner.mine(batch.embeddings, torch.arange(12))

    assert (len(triplets), triplets.pairs, triplets.found) == (0, 0, 0.0)


def test_the_share_of_pairs_with_a_semi_hard_negative_is_told() -> None:
    batch = _batch(1, 24, 4, 0.5)

    triplets = SemiHardMiner().mine(*batch)

    assert 0.0 < triplets.found < 1.0
    assert triplets.found == pytest.approx(len(_slowly(batch, MARGIN_SQ_L2)) / _pairs(batch.people))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_embeddings_that_are_not_finite_stop_the_run(value: float) -> None:
    batch = _batch(0, 12, 3, 0.5)
    batch.embeddings[7, 2] = value

    with pytest.raises(TrainingError, match=r"not finite numbers.*Lower the recipe"):
        SemiHardMiner().mine(*batch)


def _status_bytes(key: str) -> int:
    """VmRSS, what this process holds now, or VmHWM, the most that it has held (proc(5))."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells what a process has held at most")
def test_the_papers_batch_is_mined_in_a_few_megabytes() -> None:
    batch = _batch(0, 1800, 45, 1.0)
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    before = _status_bytes("VmRSS")

    triplets = SemiHardMiner().mine(*batch)

    assert len(triplets) > 50_000
    assert _status_bytes("VmHWM") - before < 60e6


def _by_hand(embeddings: Tensor, triplets: Triplets) -> Tensor:
    """The formula, averaged."""
    rows = triplets.anchors, triplets.positives, triplets.negatives
    anchors, positives, negatives = (embeddings[some] for some in rows)
    near, far = (anchors - positives).square().sum(1), (anchors - negatives).square().sum(1)
    return (near - far + 0.2).clamp(min=0.0).mean()


def test_the_loss_is_the_papers_averaged_and_so_is_its_gradient() -> None:
    batch = _batch(2, 200, 12, 0.7)
    triplets = SemiHardMiner().mine(*batch)
    embeddings = batch.embeddings.requires_grad_()

    ours, by_hand = triplet_loss(embeddings, triplets), _by_hand(embeddings, triplets)

    assert len(triplets) > 100
    torch.testing.assert_close(ours, by_hand, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(grad(ours, embeddings), grad(by_hand, embeddings), rtol=1e-4, atol=1e-6)


def test_triplets_that_keep_the_margin_do_not_dilute_the_average() -> None:
    embeddings = CORNERS[[16, 16, 20, 16]]  # d(a, p) = 0, d(a, n) = 4 or 0
    one_easy_one_hard = Triplets(torch.tensor([0, 0]), torch.tensor([1, 1]), torch.tensor([2, 3]), pairs=2)

    assert triplet_loss(embeddings, one_easy_one_hard) == pytest.approx(MARGIN_SQ_L2)


def test_without_a_triplet_the_loss_and_its_gradient_are_nought() -> None:
    batch = _batch(0, 12, 3, 0.5)
    embeddings = batch.embeddings.requires_grad_()

    loss = triplet_loss(embeddings, SemiHardMiner().mine(embeddings, torch.arange(12)))

    assert loss == 0.0
    assert not grad(loss, embeddings)[0].any()


def test_half_precision_does_not_reach_the_distances() -> None:
    batch = _batch(4, 100, 8, 0.7)
    miner = SemiHardMiner()
    expected = miner.mine(*batch)

    with torch.autocast("cpu", torch.bfloat16):
        triplets = miner.mine(*batch)
        loss = triplet_loss(batch.embeddings, triplets)

    assert _found(triplets, batch) == _found(expected, batch)
    assert loss == triplet_loss(batch.embeddings, expected)


def _harmonic(seed: int) -> tuple[Batch, Tensor]:
    """The same ten faces embedded by v1, which is fixed, and by v2; which rows are v1's."""
    v1 = _batch(seed, 10, 3, 0.5)
    v2 = functional.normalize(v1.embeddings + 0.3 * torch.randn(10, 6, generator=torch.Generator().manual_seed(seed)))
    return Batch(torch.cat([v1.embeddings, v2]), v1.people.repeat(2)), torch.arange(20) < 10


@pytest.mark.parametrize("seed", range(5))
def test_harmonic_triplets_mix_both_networks_and_leave_out_what_is_fixed(seed: int) -> None:
    batch, fixed = _harmonic(seed)

    every = SemiHardMiner().mine(*batch)
    triplets = every.learnable(fixed)

    assert _found(every, batch) == _slowly(batch, MARGIN_SQ_L2)
    rows = torch.stack([every.anchors, every.positives, every.negatives], dim=1)
    of_v2 = [triplet for triplet in rows.tolist() if max(triplet) >= 10]
    assert torch.stack([triplets.anchors, triplets.positives, triplets.negatives], dim=1).tolist() == of_v2
    assert triplets.pairs == every.pairs - (len(every) - len(of_v2))


def test_the_two_embeddings_of_one_photograph_are_a_pair() -> None:
    batch, _ = _harmonic(1)

    assert SemiHardMiner().mine(batch.embeddings[[0, 10]], batch.people[[0, 10]]).pairs == 2
