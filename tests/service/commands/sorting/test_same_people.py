"""One person in two folders of people."""

import tracemalloc
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from service.commands.photographs.face_finding import FoundFaces
from service.commands.sorting.doubles import folders_of
from service.commands.sorting.same_people import DISTANCES_AT_ONCE, SamePeople, same_people
from service.domain.distances import squared_l2
from service.domain.face import Box
from tests.support.made_up_faces import find_made_up_faces

ROOT = Path("people")
BOX = Box(0.0, 0.0, 1.0, 1.0)


def random_faces(folders: int, faces_in_folder: int) -> tuple[FoundFaces, list[str]]:
    random = np.random.default_rng(1)
    found = FoundFaces()
    for number in range(folders * faces_in_folder):
        vector = random.normal(size=16)
        face = BOX, (vector / np.linalg.norm(vector)).tolist()
        found.add(ROOT / f"{number % folders:04}" / f"{number}.jpg", "", [face])
    return found, folders_of(found, ROOT)


def test_one_person_in_two_folders_is_reported_once_with_the_nearest_photographs() -> None:
    files = {ROOT / "ada" / "1.jpg": "a", ROOT / "ada" / "2.jpg": "a", ROOT / "bob" / "x" / "3.jpg": "b"}
    found = find_made_up_faces(files | {ROOT / "countess" / "4.jpg": "a", ROOT / "5.jpg": "b"})
    folders = folders_of(found, ROOT)
    assert folders == ["ada", "ada", "bob", "countess", "."]
    (same,) = same_people(found, folders, 1.0).reported
    assert same.folders == ("ada", "countess")
    assert same.nearest[0] in set(files)
    assert same.nearest[1] == ROOT / "countess" / "4.jpg"
    assert same.pairs == 2
    distances = [float(((found.embeddings[row] - found.embeddings[3]) ** 2).sum()) for row in (0, 1)]
    assert same.distance == pytest.approx(min(distances), abs=1e-5)


def test_photographs_beside_the_folders_are_not_compared() -> None:
    found = find_made_up_faces({ROOT / "1.jpg": "a", ROOT / "2.jpg": "a", ROOT / "ada" / "3.jpg": "a"})
    assert same_people(found, folders_of(found, ROOT), 4.0) == SamePeople([], 0)
    assert same_people(FoundFaces(), [], 4.0) == SamePeople([], 0)


def test_each_pair_of_folders_has_its_nearest_faces_and_the_number_of_near_pairs() -> None:
    """Two folders have more pairs of faces than are compared at once."""
    folders, faces, threshold = 3, 1_100, 0.9
    found, names = random_faces(folders, faces)
    assert faces**2 > DISTANCES_AT_ONCE
    same = same_people(found, names, threshold)
    assert same.left_out == 0
    expected = {}
    for first, second in combinations(range(folders), 2):
        distances = squared_l2(found.embeddings[first::folders], found.embeddings[second::folders])
        row, column = np.unravel_index(distances.argmin(), distances.shape)
        nearest = found.photographs[first + folders * row], found.photographs[second + folders * column]
        expected[f"{first:04}", f"{second:04}"] = nearest, int((distances < threshold).sum())
    assert {one.folders: (one.nearest, one.pairs) for one in same.reported} == expected
    assert [one.distance for one in same.reported] == sorted(one.distance for one in same.reported)


def test_the_nearest_are_reported_and_the_others_counted() -> None:
    found, folders = random_faces(20, 2)
    all_pairs = same_people(found, folders, 4.0)
    assert len(all_pairs.reported) == 20 * 19 // 2
    few = same_people(found, folders, 4.0, most=7)
    assert few == SamePeople(all_pairs.reported[:7], 20 * 19 // 2 - 7)


def test_a_threshold_at_which_all_match_takes_little_memory() -> None:
    """8 million pairs of faces, and 2 million pairs of folders."""
    found, folders = random_faces(2_000, 2)
    tracemalloc.start()
    same = same_people(found, folders, 4.0)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(same.reported) == 1_000
    assert same.left_out == 2_000 * 1_999 // 2 - 1_000
    assert peak_bytes < 20 * 2**20
