"""The miner returns the same triplets as a slow loop over every possible triplet."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from models.errors import TrainingError
from models.training.objectives.triplet_loss import MARGIN_SQ_L2, SQUARED_L2
from models.training.objectives.triplet_mining import (
    ANCHORS_PER_CHUNK,
    MinedTriplets,
    SemiHardMiner,
    hardest_positive,
)
from tests.models.training.objectives.embeddings import CORNERS, Batch, random_batch

NegativeDistances = dict[tuple[int, int], float]
"""(anchor, positive) -> the distance between the anchor and the chosen negative."""


def negatives_by_loop(batch: Batch, margin: float, *, hardest: bool = False) -> NegativeDistances:
    """Return the expected negatives, by a loop over every possible triplet.

    hardest: whether only the furthest positive counts.
    """
    distances = SQUARED_L2(batch.embeddings, batch.embeddings).numpy()
    people = batch.people.tolist()
    rows = range(len(people))
    expected: NegativeDistances = {}
    for a in rows:
        negatives = [distances[a, n] for n in rows if people[n] != people[a]]
        positives = [p for p in rows if people[p] == people[a] and p != a]
        if hardest and positives:
            positives = [max(positives, key=distances[a].tolist().__getitem__)]
        for p in positives:
            semi_hard = [d for d in negatives if distances[a, p] < d < distances[a, p] + margin]
            if semi_hard:
                expected[a, p] = float(min(semi_hard))
    return expected


def mined_negatives(triplets: MinedTriplets, batch: Batch) -> NegativeDistances:
    distances = SQUARED_L2(batch.embeddings, batch.embeddings)
    assert (batch.people[triplets.negatives] != batch.people[triplets.anchors]).all()
    mined = {(a, p): float(distances[a, n]) for a, p, n in rows_of(triplets)}
    assert len(mined) == len(triplets)
    return mined


def rows_of(triplets: MinedTriplets) -> list[list[int]]:
    return torch.stack([triplets.anchors, triplets.positives, triplets.negatives], dim=1).tolist()


def count_pairs(people: Tensor) -> int:
    counts = people.bincount()
    return int((counts * (counts - 1)).sum())


def corner_batch(seed: int, faces: int) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    corners = CORNERS[torch.randint(len(CORNERS), (faces,), generator=generator)]
    return Batch(corners, torch.randint(3, (faces,), generator=generator))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 24), st.integers(1, 6), st.sampled_from([0.1, 0.5, 2.0]))
def test_each_pair_gets_its_nearest_semi_hard_negative(seed: int, faces: int, people: int, spread: float) -> None:
    batch = random_batch(seed, faces, people, spread)

    triplets = SemiHardMiner().mine(*batch)

    assert mined_negatives(triplets, batch) == negatives_by_loop(batch, MARGIN_SQ_L2)
    assert triplets.pairs == count_pairs(batch.people)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 24), st.integers(1, 6))
def test_with_hardest_positive_each_anchor_has_only_its_furthest_positive(seed: int, faces: int, people: int) -> None:
    batch = random_batch(seed, faces, people, 0.5)

    triplets = SemiHardMiner(hardest_positive).mine(*batch)

    assert mined_negatives(triplets, batch) == negatives_by_loop(batch, MARGIN_SQ_L2, hardest=True)
    assert triplets.pairs == int((batch.people.bincount() > 1)[batch.people].sum())


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 24), st.sampled_from([0.5, 1.0, 1.5, 5.0]))
def test_a_negative_exactly_as_far_as_the_positive_or_as_the_margin_is_not_semi_hard(
    seed: int, faces: int, margin: float
) -> None:
    batch = corner_batch(seed, faces)

    triplets = SemiHardMiner(margin_sq_l2=margin).mine(*batch)

    assert mined_negatives(triplets, batch) == negatives_by_loop(batch, margin)


def test_one_of_several_equally_far_positives_is_selected() -> None:
    batch = Batch(CORNERS[[0, 16, 17, 18, 19, 5]], torch.tensor([0, 0, 0, 0, 0, 1]))

    triplets = SemiHardMiner(hardest_positive, margin_sq_l2=4.0).mine(*batch)

    assert triplets.pairs == 5


def test_a_batch_of_more_than_one_chunk_of_anchors_is_mined_completely() -> None:
    faces = ANCHORS_PER_CHUNK + 9
    generator = torch.Generator().manual_seed(3)
    corners = CORNERS[torch.randint(len(CORNERS), (faces,), generator=generator)]
    batch = Batch(corners, torch.arange(faces) % 50)

    triplets = SemiHardMiner(margin_sq_l2=1.5).mine(*batch)

    assert mined_negatives(triplets, batch) == negatives_by_loop(batch, 1.5)
    assert triplets.anchors.tolist() == sorted(triplets.anchors.tolist())


@pytest.mark.parametrize(("miner", "pairs"), [(SemiHardMiner(), 12 * 11), (SemiHardMiner(hardest_positive), 12)])
def test_a_batch_of_one_person_has_pairs_and_no_triplet(miner: SemiHardMiner, pairs: int) -> None:
    triplets = miner.mine(*random_batch(0, 12, 1, 0.5))

    assert (len(triplets), triplets.pairs, triplets.share_with_negative) == (0, pairs, 0.0)


@pytest.mark.parametrize("miner", [SemiHardMiner(), SemiHardMiner(hardest_positive)])
def test_a_batch_with_one_face_of_each_person_has_no_pair(miner: SemiHardMiner) -> None:
    batch = random_batch(0, 12, 1, 0.5)

    triplets = miner.mine(batch.embeddings, torch.arange(12))

    assert (len(triplets), triplets.pairs, triplets.share_with_negative) == (0, 0, 0.0)


def test_share_with_negative_is_the_share_of_the_pairs_that_have_a_semi_hard_negative() -> None:
    batch = random_batch(1, 24, 4, 0.5)

    triplets = SemiHardMiner().mine(*batch)

    expected = len(negatives_by_loop(batch, MARGIN_SQ_L2)) / count_pairs(batch.people)
    assert 0.0 < triplets.share_with_negative < 1.0
    assert triplets.share_with_negative == pytest.approx(expected)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(TrainingError, match="The batch has no face"):
        SemiHardMiner().mine(torch.empty(0, 4), torch.empty(0, dtype=torch.int64))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_embeddings_that_are_not_finite_are_refused(value: float) -> None:
    batch = random_batch(0, 12, 3, 0.5)
    batch.embeddings[7, 2] = value

    with pytest.raises(TrainingError, match=r"not finite numbers.*Lower the learning rate"):
        SemiHardMiner().mine(*batch)


def status_bytes(key: str) -> int:
    """Return the memory of this process (proc(5)). key: VmRSS for the memory now, VmHWM for the peak."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux reports the peak of the memory")
def test_the_batch_of_the_paper_is_mined_in_less_than_60_megabytes() -> None:
    batch = random_batch(0, 1800, 45, 1.0)
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    before = status_bytes("VmRSS")

    triplets = SemiHardMiner().mine(*batch)

    assert len(triplets) > 50_000
    assert status_bytes("VmHWM") - before < 60e6


def test_the_triplets_are_the_same_under_autocast() -> None:
    batch = random_batch(4, 100, 8, 0.7)
    expected = SemiHardMiner().mine(*batch)

    with torch.autocast("cpu", torch.bfloat16):
        triplets = SemiHardMiner().mine(*batch)

    assert mined_negatives(triplets, batch) == mined_negatives(expected, batch)


def harmonic_batch(seed: int) -> tuple[Batch, Tensor]:
    """Return ten faces, embedded by v2 and by v1, and a mask that is True for the rows of v1, which is fixed."""
    v1 = random_batch(seed, 10, 3, 0.5)
    v2 = functional.normalize(v1.embeddings + 0.3 * torch.randn(10, 6, generator=torch.Generator().manual_seed(seed)))
    return Batch(torch.cat([v1.embeddings, v2]), v1.people.repeat(2)), torch.arange(20) < 10


@pytest.mark.parametrize("seed", range(5))
def test_drop_fixed_drops_the_triplets_that_lie_in_the_fixed_network_only(seed: int) -> None:
    batch, fixed = harmonic_batch(seed)

    mined = SemiHardMiner().mine(*batch)
    kept = mined.drop_fixed(fixed)

    assert mined_negatives(mined, batch) == negatives_by_loop(batch, MARGIN_SQ_L2)
    with_v2 = [triplet for triplet in rows_of(mined) if max(triplet) >= 10]
    assert rows_of(kept) == with_v2
    assert kept.pairs == mined.pairs - (len(mined) - len(with_v2))


def test_the_two_embeddings_of_one_photograph_are_a_pair() -> None:
    batch, _ = harmonic_batch(1)

    assert SemiHardMiner().mine(batch.embeddings[[0, 10]], batch.people[[0, 10]]).pairs == 2
