import numpy as np
import pytest

from models.augmentation import USUAL, Views
from models.faces import FaceSet
from models.training.distributed import World
from models.training.draws import Draw
from models.training.loader import Loader
from models.training.objectives.base import Rows
from service.card import FivePoint

SMALL = FivePoint(view=(0, 0, 112, 112), height=32, width=32)


def loader(faces: FaceSet, world: World = World()) -> Loader:  # noqa: B008  # frozen
    return Loader(
        faces.canvases, Views(faces.alignment, SMALL, USUAL), Draw.by_people(faces.people, 8).draw, seed=3, world=world
    )


def test_batches_come_in_order_and_each_is_its_steps_own(faces: FaceSet) -> None:
    one = loader(faces)
    for threads in (1, 3):
        for step, batch in zip(range(2, 9), one.batches(2, 9, threads), strict=True):
            expected = one.batch(step)
            np.testing.assert_array_equal(batch.rows, expected.rows)
            np.testing.assert_array_equal(batch.crops, expected.crops)


def test_another_step_is_another_batch(faces: FaceSet) -> None:
    one = loader(faces)
    assert (one.batch(0).rows != one.batch(1).rows).any()


def test_each_process_cuts_its_own_share_of_the_same_batch(faces: FaceSet) -> None:
    batches = [loader(faces, World(rank, 2)).batch(0) for rank in range(2)]
    np.testing.assert_array_equal(batches[0].rows, batches[1].rows)
    assert [len(batch.crops) for batch in batches] == [4, 4]


def test_no_more_batches_are_made_than_asked_for(faces: FaceSet) -> None:
    assert len(list(loader(faces).batches(5, 7))) == 2
    assert not list(loader(faces).batches(7, 7))


@pytest.mark.parametrize(("threads", "in_the_making"), [(1, 4), (9, 10)])
def test_more_threads_keep_more_batches_in_the_making(threads: int, in_the_making: int, faces: FaceSet) -> None:
    begun: list[int] = []

    def draw(_: np.random.Generator) -> Rows:
        begun.append(1)
        return np.arange(8)

    batches = Loader(faces.canvases, Views(faces.alignment, SMALL), draw, 0).batches(0, 100, threads)
    next(batches)
    del batches  # what was begun is finished
    assert len(begun) == in_the_making
