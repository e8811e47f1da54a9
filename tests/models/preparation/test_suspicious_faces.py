import numpy as np
import pytest

from models.preparation.suspicious_faces import (
    FAR_SQ_L2,
    MARGIN_SQ_L2,
    NEAR_DUPLICATE_SQ_L2,
    People,
    PersonMeans,
    find_near_duplicates,
)
from service.domain.distances import unit
from service.domain.embedding import Embeddings


def _people(counts: list[int]) -> People:
    """Return the person of each face. counts: how many faces the people 0, 1, ... have."""
    return np.repeat(np.arange(len(counts)), counts)


def _around(centres: Embeddings, spread: float, rng: np.random.Generator) -> Embeddings:
    return unit((centres + spread * rng.normal(size=centres.shape)).astype(np.float32))


def _sq_l2(left: Embeddings, right: Embeddings) -> float:
    return float(((left.astype(np.float64) - right) ** 2).sum())


def test_near_duplicates_are_those_that_a_plain_search_finds() -> None:
    rng = np.random.default_rng(0)
    people = _people([1, 40, 2, 30])
    centres = _around(rng.normal(size=(20, 16)).astype(np.float32), 0, rng)
    embeddings = _around(centres[rng.integers(0, 20, len(people))], 0.07, rng)

    actual = {(face.row, face.original): face.sq_l2 for face in find_near_duplicates(embeddings, people)}

    expected: dict[tuple[int, int], float] = {}
    for row in range(len(people)):
        duplicates = {duplicate for duplicate, _ in expected}
        earlier = [other for other in range(row) if people[other] == people[row] and other not in duplicates]
        distances = {other: _sq_l2(embeddings[row], embeddings[other]) for other in earlier}
        nearest = min(distances, key=distances.__getitem__, default=row)
        if distances.get(nearest, 4.0) < NEAR_DUPLICATE_SQ_L2:
            expected[row, nearest] = distances[nearest]
    assert actual == pytest.approx(expected, abs=1e-5)
    assert 10 < len(actual) < 60


def test_a_chain_of_small_changes_does_not_become_one_group() -> None:
    angles = np.arange(6) * np.sqrt(NEAR_DUPLICATE_SQ_L2) * 0.8
    embeddings = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)

    duplicates = list(find_near_duplicates(embeddings, np.zeros(6, np.int64)))

    assert [(face.row, face.original) for face in duplicates] == [(1, 0), (3, 2), (5, 4)]


def test_mislabelled_faces_are_those_that_a_plain_search_finds() -> None:
    rng = np.random.default_rng(1)
    people = _people([8, 3, 1, 12, 2])
    centres = _around(rng.normal(size=(5, 16)).astype(np.float32), 0, rng)
    shown_people = people.copy()
    shown_people[[2, 9, 11, 15]] = [3, 0, 4, 1]  # row 11 is the only face of its person
    embeddings = _around(centres[shown_people], 0.1, rng)
    means = PersonMeans(5, 16)
    shards = ((0, 11), (11, 26))
    for start, end in shards:
        means.add(embeddings[start:end], people[start:end])

    actual = [
        (start + face.row, face.nearer_to, face.own_sq_l2, face.other_sq_l2)
        for start, end in shards
        for face in means.find_mislabelled(embeddings[start:end], people[start:end])
    ]

    expected = []
    for row, person in enumerate(people):
        same_person = [other for other in range(len(people)) if people[other] == person and other != row]
        if not same_person:
            continue
        to_own = _sq_l2(embeddings[row], unit(embeddings[same_person].mean(axis=0)))
        to_others = {
            other: _sq_l2(embeddings[row], unit(embeddings[people == other].mean(axis=0)))
            for other in range(5)
            if other != person
        }
        nearest = min(to_others, key=to_others.__getitem__)
        if to_own > FAR_SQ_L2 and to_own - to_others[nearest] > MARGIN_SQ_L2:
            expected.append((row, nearest, to_own, to_others[nearest]))
    assert [row for row, *_ in expected] == [2, 9, 15]
    assert [face[:2] for face in actual] == [face[:2] for face in expected]
    assert np.array([face[2:] for face in actual]) == pytest.approx(np.array([face[2:] for face in expected]), abs=1e-4)


def test_without_other_people_no_face_is_mislabelled() -> None:
    embeddings = np.eye(3, dtype=np.float32)
    means = PersonMeans(1, 3)
    means.add(embeddings, np.zeros(3, np.int64))

    assert list(means.find_mislabelled(embeddings, np.zeros(3, np.int64))) == []
