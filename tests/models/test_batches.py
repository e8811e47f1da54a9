"""Who is in a batch, counted over many of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.batches import TOGETHER, Batches, Rows
from models.errors import TrainingError


def _people(sizes: list[int] | NDArray[np.int64], seed: int = 0) -> Rows:
    """Who is on each photograph, in no order."""
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))


def _draws(batches: Batches, count: int) -> list[Rows]:
    return [batches.draw(np.random.default_rng((7, step))) for step in range(count)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=8, max_size=40), st.integers(0, 2**32), st.sampled_from([0.0, 0.2, 0.6]))
def test_a_batch_is_full_and_has_no_face_twice_and_not_too_many_of_one_person(
    sizes: list[int], seed: int, negatives: float
) -> None:
    people = _people([*sizes, 5, 5, 5, 5, 5, 5], seed)
    sources = np.random.default_rng(seed).integers(0, 4, len(people)) * 3

    batch = Batches(people, sources, 30, 5, negatives).draw(np.random.default_rng(seed))

    assert batch.shape == (30,)
    assert batch.dtype == np.int64
    assert len(set(batch.tolist())) == 30
    assert np.bincount(people[batch]).max() <= 5


def test_a_person_who_is_drawn_comes_with_all_the_faces_that_there_is_room_for() -> None:
    sizes = np.array([3, 4, 9, 12, 50] * 30)
    batches = Batches(_people(sizes), np.zeros(sizes.sum(), np.int64), 200, 10, 0.2)

    for batch in _draws(batches, 20):
        counts = np.bincount(batches.people[batch], minlength=len(sizes))
        assert counts[counts >= np.minimum(sizes, 10)].sum() > 200 * 0.8 - 10


def test_the_rest_of_a_batch_are_single_faces_of_many_others() -> None:
    sizes = np.full(300, 30)
    batches = Batches(_people(sizes), np.zeros(9000, np.int64), 200, 10, 0.2)

    for batch in _draws(batches, 20):
        counts = np.bincount(batches.people[batch])
        assert (counts == 10).sum() == 16
        assert counts[counts < 10].sum() == 40
        assert (counts == 1).sum() > 25


def test_people_are_drawn_equally_however_many_photographs_they_have() -> None:
    sizes = np.array([10] * 20 + [400] * 20)
    batches = Batches(_people(sizes), np.zeros(sizes.sum(), np.int64), 125, 10, 0.2)

    drawn = sum(np.bincount(batches.people[batch], minlength=40) == 10 for batch in _draws(batches, 600))

    assert drawn.sum() == 600 * 10
    np.testing.assert_allclose(drawn / 600, 0.25, atol=0.08)
    assert drawn[:20].mean() == pytest.approx(drawn[20:].mean(), rel=0.05)


def test_random_negatives_are_drawn_by_people_not_by_photographs() -> None:
    sizes = np.array([10] * 40 + [400] * 40)
    batches = Batches(_people(sizes), np.zeros(sizes.sum(), np.int64), 50, 10, 0.6)

    counts = [np.bincount(batches.people[batch], minlength=80) for batch in _draws(batches, 200)]

    few, many = (sum(np.where(one < 10, one, 0)[part].sum() for one in counts) for part in (slice(40), slice(40, 80)))
    assert few == pytest.approx(many, rel=0.15)


def test_every_photograph_of_a_person_has_its_turn() -> None:
    batches = Batches(_people(np.full(10, 50)), np.zeros(500, np.int64), 50, 10, 0.2)

    seen = np.unique(np.concatenate(_draws(batches, 100)))

    assert len(seen) == 500


def _by_source(sizes: dict[int, int]) -> Batches:
    """So many people of each source, twelve photographs each."""
    homes = np.repeat(list(sizes), list(sizes.values()))
    people = np.repeat(np.arange(len(homes)), 12)
    return Batches(people, homes[people], 240, 8, 0.25)


def test_people_of_one_source_share_a_batch() -> None:
    batches = _by_source(dict.fromkeys(range(20), TOGETHER * 6))

    for batch in _draws(batches, 50):
        counts = np.bincount(batches.people[batch])
        homes = batches.sources[::12][np.flatnonzero(counts == 8)]
        of_source = np.bincount(homes)
        assert of_source.sum() == 22
        assert np.count_nonzero(of_source) <= 3
        assert of_source.max() >= 11


def test_a_large_source_has_no_advantage_for_its_people() -> None:
    batches = _by_source({0: 300, 1: 30, 2: 29})

    drawn = sum(np.bincount(batches.people[batch], minlength=359) == 8 for batch in _draws(batches, 800))

    rates = [drawn[part].mean() / 800 for part in (slice(300), slice(300, 330), slice(330, 359))]
    np.testing.assert_allclose(rates, 22 / 359, rtol=0.2)


def test_random_negatives_come_from_the_sources_in_the_batch() -> None:
    batches = _by_source(dict.fromkeys(range(20), TOGETHER * 6))

    shares = []
    for batch in _draws(batches, 50):
        counts = np.bincount(batches.people[batch])
        drawn = counts[batches.people[batch]] == 8
        present = set(batches.sources[batch][drawn].tolist())
        shares.append(np.mean([source in present for source in batches.sources[batch][~drawn].tolist()]))

    assert np.mean(shares) > 0.8


def test_other_sources_fill_up_where_those_in_the_batch_have_no_more_faces() -> None:
    people = np.repeat(np.arange(60), 2)
    sources = people  # everyone is a source
    batches = Batches(people, sources, 100, 2, 0.5)

    for batch in _draws(batches, 5):
        assert len(np.unique(people[batch])) >= 50


def test_someone_with_one_photograph_is_a_random_negative_only() -> None:
    people = np.concatenate([np.repeat(np.arange(6), 5), np.arange(6, 100)])
    batches = Batches(people, np.zeros(len(people), np.int64), 40, 5, 0.5)

    for batch in _draws(batches, 20):
        assert (np.bincount(people[batch]) == 5).sum() == 4


def test_the_same_generator_draws_the_same_batch() -> None:
    batches = Batches(_people(np.full(100, 30)), np.arange(3000) % 5, 200, 10)

    again, other = (batches.draw(np.random.default_rng((1, step))) for step in (5, 6))

    np.testing.assert_array_equal(batches.draw(np.random.default_rng((1, 5))), again)
    assert set(again.tolist()) != set(other.tolist())


def test_chunks_of_a_batch_look_like_the_whole() -> None:
    batches = Batches(np.repeat(np.arange(100), 30), np.zeros(3000, np.int64), 400, 20)

    batch = batches.draw(np.random.default_rng(0))

    for chunk in np.split(batch, 4):
        assert len(np.unique(batches.people[chunk])) > 16


def test_too_few_faces_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"1800 faces, and the 2 people of this data set give 43, at most 40 each"):
        Batches(np.repeat([0, 5], [900, 3]), np.zeros(903, np.int64))


def test_an_empty_data_set_is_refused() -> None:
    with pytest.raises(TrainingError, match="the 0 people of this data set give 0"):
        Batches(np.empty(0, np.int64), np.empty(0, np.int64))


def test_people_with_one_face_each_are_refused() -> None:
    with pytest.raises(TrainingError, match="one face of each of its people, out of 2000"):
        Batches(np.arange(2000), np.zeros(2000, np.int64))


def test_a_batch_without_room_for_two_people_is_refused() -> None:
    with pytest.raises(TrainingError, match="90 faces, 20% of them random negatives, has no room for 40 faces"):
        Batches(np.repeat(np.arange(9), 40), np.zeros(360, np.int64), faces=90)
