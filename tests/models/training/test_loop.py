"""A stopped run continues and gives the same losses. If it cannot continue, the error gives the reason in one line."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from models.architectures import find_architecture
from models.errors import TrainingError
from models.training.data.face_set import FaceSet
from models.training.loop import CHECKPOINT, StepTimer, create_trainer
from models.training.optimisation.schedule import Schedule
from models.training.recipes.settings import OptimiserSettings, Recipe
from service.model_files.card import BoxAlignment
from tests.models.training.tiny import TINY, create_job, recorded_losses, run_loop

pytestmark = pytest.mark.slow

LEARNS_NOTHING = replace(
    TINY, optimiser=OptimiserSettings("sgd", learning_rate=0.0), schedule=Schedule(steps=100), patience=2
)
"""With a learning rate of 0, no evaluation is better than the first."""


def assert_same_weights(left: nn.Module, right: nn.Module) -> None:
    for left_weights, right_weights in zip(left.parameters(), right.parameters(), strict=True):
        torch.testing.assert_close(left_weights, right_weights, rtol=0, atol=0)


def after(recipe: Recipe, name: str = "second") -> Recipe:
    """Return the tiny recipe, but beginning with the network of `recipe`."""
    return replace(TINY, name=name, begins_with=recipe.name)


def test_a_killed_run_continues_with_the_losses_of_a_run_without_a_stop(faces: FaceSet, tmp_path: Path) -> None:
    complete = run_loop(TINY, faces, tmp_path / "complete")
    with pytest.raises(KeyboardInterrupt):
        run_loop(TINY, faces, tmp_path / "killed", stop_after=3)
    resumed = run_loop(TINY, faces, tmp_path / "killed")
    assert recorded_losses(tmp_path / "killed") == recorded_losses(tmp_path / "complete")
    assert resumed.step == complete.step == 4
    assert_same_weights(resumed.weight_average.network, complete.weight_average.network)


def test_a_run_writes_a_checkpoint_a_journal_and_curves(faces: FaceSet, tmp_path: Path) -> None:
    run_loop(TINY, faces, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {CHECKPOINT, "journal.jsonl", "curves.png", "tensorboard"}
    (last,) = [entry for entry in recorded_losses(tmp_path) if entry["step"] == 4 and "val_at_fmr_1e-3" in entry]
    assert 0 <= last["val_at_fmr_1e-3"] <= 1
    assert list((tmp_path / "tensorboard").iterdir())


def test_a_finished_run_does_not_train_again(faces: FaceSet, tmp_path: Path) -> None:
    run_loop(TINY, faces, tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    assert run_loop(TINY, faces, tmp_path).step == 4
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_a_run_stops_early_if_val_on_the_held_out_people_does_not_rise(faces: FaceSet, tmp_path: Path) -> None:
    assert run_loop(LEARNS_NOTHING, faces, tmp_path).step < 10


def test_a_run_that_stopped_early_does_not_train_again(faces: FaceSet, tmp_path: Path) -> None:
    stopped = run_loop(LEARNS_NOTHING, faces, tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    assert run_loop(LEARNS_NOTHING, faces, tmp_path).step == stopped.step
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_a_run_begins_with_the_averaged_network_of_another_run(faces: FaceSet, tmp_path: Path) -> None:
    first = run_loop(TINY, faces, tmp_path)
    job = replace(create_job(after(TINY), faces, tmp_path / "second"), start=tmp_path / CHECKPOINT)
    second = create_trainer(job)
    assert second.step == 0
    assert_same_weights(second.network, first.weight_average.network)


def test_a_run_does_not_begin_with_a_network_of_the_wrong_recipe(faces: FaceSet, tmp_path: Path) -> None:
    run_loop(TINY, faces, tmp_path)
    job = create_job(replace(TINY, name="second", begins_with="another"), faces, tmp_path / "second")
    message = "belongs to the recipe tiny, with nns2 in 128 dimensions. The recipe second begins with another"
    with pytest.raises(TrainingError, match=message):
        create_trainer(replace(job, start=tmp_path / CHECKPOINT))


def test_a_run_does_not_begin_with_a_run_that_is_not_finished(faces: FaceSet, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_loop(TINY, faces, tmp_path, stop_after=3)
    job = create_job(after(TINY), faces, tmp_path / "second")
    with pytest.raises(TrainingError, match="is not finished: it was saved at step 2 of tiny"):
        create_trainer(replace(job, start=tmp_path / CHECKPOINT))


def test_a_run_does_not_begin_with_a_network_that_was_trained_on_the_held_out_people(
    faces: FaceSet, tmp_path: Path
) -> None:
    run_loop(TINY, faces, tmp_path)
    more = replace(faces, people=faces.people + 1, names=("another", *faces.names))
    job = create_job(after(TINY), more, tmp_path / "second")
    with pytest.raises(TrainingError, match=r"started on other faces\. These values differ: held out people\."):
        create_trainer(replace(job, start=tmp_path / CHECKPOINT))


def test_the_time_of_an_evaluation_does_not_count_as_time_of_steps() -> None:
    timer = StepTimer()
    timer.add({"loss": 1.0}, 8)
    timer.take()
    time.sleep(0.05)
    timer.restart()
    timer.add({"loss": 1.0}, 8)
    assert timer.take()["faces_per_s"] > 8 / 0.05


def test_crops_have_the_alignment_of_the_canvases(faces: FaceSet, tmp_path: Path) -> None:
    box = BoxAlignment(margin=0.0, height=128, width=128)
    boxes = create_job(TINY, replace(faces, alignment=box), tmp_path)
    assert boxes.alignment == BoxAlignment(margin=0.0, height=140, width=116)
    assert create_job(TINY, faces, tmp_path).alignment == find_architecture("nns2").alignment


PINNED = [0.13422, 0.12444]
"""The first two losses of the tiny run. Only a change of what the training computes changes them."""


def test_the_first_losses_are_pinned(faces: FaceSet, tmp_path: Path) -> None:
    run_loop(replace(TINY, precision="float32", evaluate_every=1), faces, tmp_path)
    losses = [entry["loss"] for entry in recorded_losses(tmp_path) if "loss" in entry]
    assert losses[:2] == pytest.approx(PINNED, rel=0.01)
