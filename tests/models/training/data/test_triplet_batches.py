"""The faces of a batch, counted over many batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.errors import TrainingError
from models.training.data.canvases import Labels, Rows
from models.training.data.triplet_batches import TripletBatches, TripletBatchSettings


def _shuffled_people(sizes: list[int] | NDArray[np.int64], seed: int = 0) -> Labels:
    """Return the person of each face, in random order. sizes: how many faces each person has."""
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))


def _of_one_source(sizes: NDArray[np.int64], batch_size: int, settings: TripletBatchSettings) -> TripletBatches:
    return TripletBatches(_shuffled_people(sizes), np.zeros(sizes.sum(), np.int64), batch_size, settings)


def _draw(batches: TripletBatches, count: int) -> list[Rows]:
    return [batches.draw(np.random.default_rng((7, step))) for step in range(count)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=8, max_size=40), st.integers(0, 2**32), st.sampled_from([0.0, 0.2, 0.6]))
def test_a_batch_is_full_has_no_face_twice_and_has_at_most_the_allowed_faces_of_each_person(
    sizes: list[int], seed: int, negatives: float
) -> None:
    people = _shuffled_people([*sizes, 5, 5, 5, 5, 5, 5], seed)
    sources = np.random.default_rng(seed).integers(0, 4, len(people)) * 3

    batch = TripletBatches(people, sources, 30, TripletBatchSettings(5, negatives)).draw(np.random.default_rng(seed))

    assert batch.shape == (30,)
    assert batch.dtype == np.int64
    assert len(set(batch.tolist())) == 30
    assert np.bincount(people[batch]).max() <= 5


def test_a_drawn_person_is_in_the_batch_with_all_allowed_faces() -> None:
    sizes = np.array([3, 4, 9, 12, 50] * 30)
    batches = _of_one_source(sizes, 200, TripletBatchSettings(10, 0.2))

    for batch in _draw(batches, 20):
        counts = np.bincount(batches.people[batch], minlength=len(sizes))
        assert counts[counts >= np.minimum(sizes, 10)].sum() > 200 * 0.8 - 10


def test_the_random_negatives_are_mostly_single_faces_of_many_people() -> None:
    sizes = np.full(300, 30)
    batches = _of_one_source(sizes, 200, TripletBatchSettings(10, 0.2))

    for batch in _draw(batches, 20):
        counts = np.bincount(batches.people[batch])
        assert (counts == 10).sum() == 16
        assert counts[counts < 10].sum() == 40
        assert (counts == 1).sum() > 25


def test_people_are_drawn_equally_often_no_matter_how_many_faces_they_have() -> None:
    sizes = np.array([10] * 20 + [400] * 20)
    batches = _of_one_source(sizes, 125, TripletBatchSettings(10, 0.2))

    drawn = sum(np.bincount(batches.people[batch], minlength=40) == 10 for batch in _draw(batches, 600))

    assert drawn.sum() == 600 * 10
    np.testing.assert_allclose(drawn / 600, 0.25, atol=0.08)
    assert drawn[:20].mean() == pytest.approx(drawn[20:].mean(), rel=0.05)


def test_random_negatives_are_drawn_equally_often_from_people_with_few_and_many_faces() -> None:
    sizes = np.array([10] * 40 + [400] * 40)
    batches = _of_one_source(sizes, 50, TripletBatchSettings(10, 0.6))

    counts = [np.bincount(batches.people[batch], minlength=80) for batch in _draw(batches, 200)]

    few, many = (
        sum(np.where(batch < 10, batch, 0)[people].sum() for batch in counts) for people in (slice(40), slice(40, 80))
    )
    assert few == pytest.approx(many, rel=0.15)


def test_every_face_of_a_person_is_drawn_in_some_batch() -> None:
    batches = _of_one_source(np.full(10, 50), 50, TripletBatchSettings(10, 0.2))

    drawn = np.unique(np.concatenate(_draw(batches, 100)))

    assert len(drawn) == 500


def _several_sources(people_of_source: dict[int, int]) -> TripletBatches:
    """Return batches of people with twelve faces each. people_of_source: how many people each source has."""
    source_of_person = np.repeat(list(people_of_source), list(people_of_source.values()))
    people = np.repeat(np.arange(len(source_of_person)), 12)
    return TripletBatches(people, source_of_person[people], 240, TripletBatchSettings(8, 0.25))


def test_the_drawn_people_of_a_batch_are_of_few_sources() -> None:
    batches = _several_sources(dict.fromkeys(range(20), 6 * TripletBatchSettings().people_per_group))

    for batch in _draw(batches, 50):
        counts = np.bincount(batches.people[batch])
        sources = batches.sources[::12][np.flatnonzero(counts == 8)]
        people_of_source = np.bincount(sources)
        assert people_of_source.sum() == 22
        assert np.count_nonzero(people_of_source) <= 3
        assert people_of_source.max() >= 11


def test_people_of_large_and_small_sources_are_drawn_equally_often() -> None:
    batches = _several_sources({0: 300, 1: 30, 2: 29})

    drawn = sum(np.bincount(batches.people[batch], minlength=359) == 8 for batch in _draw(batches, 800))

    rates = [drawn[source].mean() / 800 for source in (slice(300), slice(300, 330), slice(330, 359))]
    np.testing.assert_allclose(rates, 22 / 359, rtol=0.2)


def test_most_random_negatives_are_of_the_sources_in_the_batch() -> None:
    batches = _several_sources(dict.fromkeys(range(20), 6 * TripletBatchSettings().people_per_group))

    shares = []
    for batch in _draw(batches, 50):
        counts = np.bincount(batches.people[batch])
        drawn = counts[batches.people[batch]] == 8
        sources = set(batches.sources[batch][drawn].tolist())
        shares.append(np.mean([source in sources for source in batches.sources[batch][~drawn].tolist()]))

    assert np.mean(shares) > 0.8


def test_other_sources_fill_the_batch_if_its_sources_have_no_more_faces() -> None:
    people = np.repeat(np.arange(60), 2)
    sources = people  # each person has their own source
    batches = TripletBatches(people, sources, 100, TripletBatchSettings(2, 0.5))

    for batch in _draw(batches, 5):
        assert len(np.unique(people[batch])) >= 50


def test_a_person_with_one_face_is_only_a_random_negative() -> None:
    people = np.concatenate([np.repeat(np.arange(6), 5), np.arange(6, 100)])
    batches = TripletBatches(people, np.zeros(len(people), np.int64), 40, TripletBatchSettings(5, 0.5))

    for batch in _draw(batches, 20):
        assert (np.bincount(people[batch]) == 5).sum() == 4


def test_a_batch_depends_only_on_the_state_of_the_generator() -> None:
    batches = TripletBatches(_shuffled_people(np.full(100, 30)), np.arange(3000) % 5, 200, TripletBatchSettings(10))

    first, second = (batches.draw(np.random.default_rng((1, step))) for step in (5, 6))

    np.testing.assert_array_equal(batches.draw(np.random.default_rng((1, 5))), first)
    assert set(first.tolist()) != set(second.tolist())


def test_each_chunk_of_a_batch_has_faces_of_many_people() -> None:
    batches = TripletBatches(np.repeat(np.arange(100), 30), np.zeros(3000, np.int64), 400, TripletBatchSettings(20))

    batch = batches.draw(np.random.default_rng(0))

    for chunk in np.split(batch, 4):
        assert len(np.unique(batches.people[chunk])) > 16


def test_too_few_faces_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"1800 faces, and the 2 people of this data set give 43, at most 40 each"):
        TripletBatches(np.repeat([0, 5], [900, 3]), np.zeros(903, np.int64), 1800, TripletBatchSettings())


def test_an_empty_data_set_is_refused() -> None:
    with pytest.raises(TrainingError, match="the 0 people of this data set give 0"):
        TripletBatches(np.empty(0, np.int64), np.empty(0, np.int64), 1800, TripletBatchSettings())


def test_a_data_set_with_one_face_of_each_person_is_refused() -> None:
    with pytest.raises(TrainingError, match="one face of each person, out of 2000"):
        TripletBatches(np.arange(2000), np.zeros(2000, np.int64), 1800, TripletBatchSettings())


def test_a_batch_without_room_for_two_people_is_refused() -> None:
    with pytest.raises(TrainingError, match="90 faces, 20% of them random negatives, has no room for 40 faces"):
        TripletBatches(np.repeat(np.arange(9), 40), np.zeros(360, np.int64), 90, TripletBatchSettings())
