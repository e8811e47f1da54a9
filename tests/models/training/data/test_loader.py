import numpy as np
import pytest

from models.training.data.augmentation import DEFAULT_AUGMENTATION, Augmenter
from models.training.data.canvases import Rows
from models.training.data.face_set import FaceSet
from models.training.data.loader import BatchLoader
from models.training.data.sampling import FaceSampler
from models.training.distributed import SINGLE_PROCESS, World
from service.model_files.card import FivePointAlignment

SMALL_CROP = FivePointAlignment(view=(0, 0, 112, 112), height=32, width=32)


def create_loader(faces: FaceSet, world: World = SINGLE_PROCESS) -> BatchLoader:
    augmenter = Augmenter(faces.alignment, SMALL_CROP, DEFAULT_AUGMENTATION)
    sampler = FaceSampler.by_people(faces.people, 8, exponent=0.5)
    return BatchLoader(faces.canvases, augmenter, sampler.draw, seed=3, world=world)


def test_batches_are_in_order_and_the_same_with_any_number_of_threads(faces: FaceSet) -> None:
    loader = create_loader(faces)
    for threads in (1, 3):
        for step, batch in zip(range(2, 9), loader.batches(2, 9, threads), strict=True):
            expected = loader.make_batch(step)
            np.testing.assert_array_equal(batch.rows, expected.rows)
            np.testing.assert_array_equal(batch.crops, expected.crops)


def test_different_steps_have_different_batches(faces: FaceSet) -> None:
    loader = create_loader(faces)
    assert (loader.make_batch(0).rows != loader.make_batch(1).rows).any()


def test_each_process_makes_its_own_share_of_the_same_batch(faces: FaceSet) -> None:
    batches = [create_loader(faces, World(rank, 2)).make_batch(0) for rank in range(2)]
    np.testing.assert_array_equal(batches[0].rows, batches[1].rows)
    assert [len(batch.crops) for batch in batches] == [4, 4]


def test_the_batch_of_the_end_step_is_not_made(faces: FaceSet) -> None:
    assert len(list(create_loader(faces).batches(5, 7))) == 2
    assert not list(create_loader(faces).batches(7, 7))


@pytest.mark.parametrize(("threads", "batches_ahead"), [(1, 4), (9, 10)])
def test_more_threads_make_more_batches_ahead(threads: int, batches_ahead: int, faces: FaceSet) -> None:
    draws: list[int] = []

    def draw_rows(_: np.random.Generator) -> Rows:
        draws.append(1)
        return np.arange(8)

    batches = BatchLoader(faces.canvases, Augmenter(faces.alignment, SMALL_CROP), draw_rows, 0).batches(0, 100, threads)
    next(batches)
    del batches  # waits until the started batches are made
    assert len(draws) == batches_ahead
