import numpy as np
import pytest

from models.preparation.flags import FAR_SQ_L2, MARGIN_SQ_L2, NEAR_DUPLICATE_SQ_L2, Means, near_duplicates
from service.distances import unit
from service.domain import Embeddings


def _people(counts: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.repeat(np.arange(len(counts)), counts)


def _around(centres: Embeddings, spread: float, rng: np.random.Generator) -> Embeddings:
    return unit((centres + spread * rng.normal(size=centres.shape)).astype(np.float32))


def _sq_l2(one: Embeddings, other: Embeddings) -> float:
    return float(((one.astype(np.float64) - other) ** 2).sum())


def test_near_duplicates_are_those_that_a_search_one_by_one_finds() -> None:
    rng = np.random.default_rng(0)
    people = _people([1, 40, 2, 30])
    centres = _around(rng.normal(size=(20, 16)).astype(np.float32), 0, rng)
    embeddings = _around(centres[rng.integers(0, 20, len(people))], 0.07, rng)

    found = {(pair.row, pair.original): pair.sq_l2 for pair in near_duplicates(embeddings, people)}

    expected: dict[tuple[int, int], float] = {}
    for row in range(len(people)):
        left_out = {pair[0] for pair in expected}
        before = [one for one in range(row) if people[one] == people[row] and one not in left_out]
        distances = {one: _sq_l2(embeddings[row], embeddings[one]) for one in before}
        nearest = min(distances, key=distances.__getitem__, default=row)
        if distances.get(nearest, 4.0) < NEAR_DUPLICATE_SQ_L2:
            expected[row, nearest] = distances[nearest]
    assert found == pytest.approx(expected, abs=1e-5)
    assert 10 < len(found) < 60


def test_a_chain_of_small_steps_does_not_become_one_group() -> None:
    angles = np.arange(6) * np.sqrt(NEAR_DUPLICATE_SQ_L2) * 0.8
    embeddings = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)

    pairs = list(near_duplicates(embeddings, np.zeros(6, np.int64)))

    assert [(pair.row, pair.original) for pair in pairs] == [(1, 0), (3, 2), (5, 4)]


def test_suspects_are_those_that_a_search_one_by_one_finds() -> None:
    rng = np.random.default_rng(1)
    people = _people([8, 3, 1, 12, 2])
    centres = _around(rng.normal(size=(5, 16)).astype(np.float32), 0, rng)
    shown = people.copy()
    shown[[2, 9, 11, 15]] = [3, 0, 4, 1]  # row 11 is its person's only one
    embeddings = _around(centres[shown], 0.1, rng)
    means = Means(5, 16)
    for start, end in ((0, 11), (11, 26)):
        means.add(embeddings[start:end], people[start:end])

    found = [
        (start + one.row, one.nearer_to, one.own_sq_l2, one.other_sq_l2)
        for start, end in ((0, 11), (11, 26))
        for one in means.suspects(embeddings[start:end], people[start:end])
    ]

    expected = []
    for row, person in enumerate(people):
        others = [one for one in range(len(people)) if people[one] == person and one != row]
        if not others:
            continue
        own = _sq_l2(embeddings[row], unit(embeddings[others].mean(axis=0)))
        distances = {
            other: _sq_l2(embeddings[row], unit(embeddings[people == other].mean(axis=0)))
            for other in range(5)
            if other != person
        }
        nearest = min(distances, key=distances.__getitem__)
        if own > FAR_SQ_L2 and own - distances[nearest] > MARGIN_SQ_L2:
            expected.append((row, nearest, own, distances[nearest]))
    assert [row for row, *_ in expected] == [2, 9, 15]
    assert [one[:2] for one in found] == [one[:2] for one in expected]
    assert np.array([one[2:] for one in found]) == pytest.approx(np.array([one[2:] for one in expected]), abs=1e-4)


def test_a_person_alone_is_nobodys_suspect() -> None:
    embeddings = np.eye(3, dtype=np.float32)
    means = Means(1, 3)
    means.add(embeddings, np.zeros(3, np.int64))

    assert list(means.suspects(embeddings, np.zeros(3, np.int64))) == []
