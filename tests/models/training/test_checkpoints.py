"""Only the same recipe can read a checkpoint. A checkpoint is never written in part."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.errors import TrainingError
from models.training.checkpoints import FORMAT
from models.training.data.face_set import FaceSet
from models.training.loop import CHECKPOINT
from tests.models.training.tiny import TINY, run_loop
from tests.support.full_disk import simulate_full_disk


@pytest.mark.slow
def test_a_checkpoint_of_another_recipe_is_refused_and_the_differences_are_named(
    faces: FaceSet, tmp_path: Path
) -> None:
    run_loop(TINY, faces, tmp_path)
    with pytest.raises(TrainingError, match=r"These values differ: batch_size, seed\."):
        run_loop(replace(TINY, batch_size=12, seed=1), faces, tmp_path)


@pytest.mark.slow
def test_a_recipe_with_another_remark_is_the_same_recipe(faces: FaceSet, tmp_path: Path) -> None:
    run_loop(TINY, faces, tmp_path)
    run_loop(replace(TINY, cost="an hour", result="good"), faces, tmp_path)


def test_a_damaged_checkpoint_is_refused(faces: FaceSet, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"no checkpoint")
    with pytest.raises(TrainingError, match="is not a checkpoint, or it is damaged"):
        run_loop(TINY, faces, tmp_path)


def test_a_checkpoint_of_an_earlier_format_is_refused(faces: FaceSet, tmp_path: Path) -> None:
    torch.save({"format": FORMAT - 1}, tmp_path / CHECKPOINT)
    with pytest.raises(TrainingError, match=f"has format {FORMAT - 1}, and this version reads format {FORMAT}"):
        run_loop(TINY, faces, tmp_path)


@pytest.mark.slow
def test_a_full_disk_in_the_middle_of_a_checkpoint_keeps_the_previous_checkpoint(
    faces: FaceSet, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_loop(TINY, faces, tmp_path, stop_after=3)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with simulate_full_disk(1_000_000), pytest.raises(OSError, match="too large"):
        run_loop(TINY, faces, tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert not list(tmp_path.glob(".*"))
