"""The subjects of the faces in an index, compared with a dictionary that gets the same changes."""

import numpy as np
import pytest

from service.gallery.search.in_memory.face_subjects import COUNTED_SUBJECTS, FaceSubjects


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("subjects", [3, COUNTED_SUBJECTS + 50])
def test_after_every_random_change_it_holds_what_a_dictionary_holds(seed: int, subjects: int) -> None:
    random = np.random.default_rng(seed)
    expected: dict[int, int] = {number: int(random.integers(1, subjects)) for number in range(1, 2001, 2)}
    held = FaceSubjects(np.array(list(expected)), np.array(list(expected.values())))
    for _ in range(80):
        some = np.unique(random.integers(1, 4000, 40))
        subject = int(random.integers(1, subjects))
        match random.integers(3):
            case 0:
                new = random.permutation(some[held.unknown(some)])
                assert set(new.tolist()) == set(some.tolist()) - set(expected)
                held.add(new, np.full(len(new), subject))
                expected |= dict.fromkeys(new.tolist(), subject)
            case 1:
                held.remove(some)
                expected = {number: owner for number, owner in expected.items() if number not in some}
            case _:
                held.move(some, subject)
                expected |= dict.fromkeys(set(some.tolist()) & set(expected), subject)
        numbers = np.array(list(expected))
        assert held.of(numbers).tolist() == list(expected.values())
        assert len(held) == len(expected)
        assert held.sum_of_subjects == sum(expected.values())
        assert held.at_most(100) == min(100, len(set(expected.values())))


def test_the_subjects_are_counted_again_when_many_faces_were_removed() -> None:
    numbers = np.arange(1, 2001)
    held = FaceSubjects(numbers, numbers)
    assert held.at_most(5) == 5
    held.remove(numbers[3:])
    assert held.at_most(5) == 3
