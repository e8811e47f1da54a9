"""A run is one path: stopped and taken up again, it gives the same losses; what cannot go on says why in one line."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.architectures import architecture
from models.errors import TrainingError
from models.faces import FaceSet
from models.training.distributed import ALONE, device
from models.training.objectives.build import objective
from models.training.recipes import Optimiser, recipe_of
from models.training.schedule import Schedule
from models.training.train import CHECKPOINT, Clock, begin, loader_of
from service.card import BoxCrop
from tests.disks import disk_full_at
from tests.models.training.tiny import TINY, job, no_teacher, run


def losses(out: Path) -> list[dict[str, float]]:
    entries = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]
    return [
        {name: value for name, value in one.items() if "per_s" not in name and "share" not in name} for one in entries
    ]


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(faces: FaceSet, tmp_path: Path) -> None:
    whole = run(TINY, faces, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(TINY, faces, tmp_path / "killed", stop_after=3)
    resumed = run(TINY, faces, tmp_path / "killed")
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    assert resumed.step == whole.step == 4
    for one, other in zip(resumed.average.network.parameters(), whole.average.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_run_leaves_a_checkpoint_a_journal_and_pictures(faces: FaceSet, tmp_path: Path) -> None:
    run(TINY, faces, tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == {CHECKPOINT, "journal.jsonl", "curves.png", "tensorboard"}
    (last,) = [one for one in losses(tmp_path) if one["step"] == 4 and "val_at_fmr_1e-3" in one]
    assert 0 <= last["val_at_fmr_1e-3"] <= 1
    assert list((tmp_path / "tensorboard").iterdir())


def test_a_run_that_is_over_trains_no_more(faces: FaceSet, tmp_path: Path) -> None:
    run(TINY, faces, tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    assert run(TINY, faces, tmp_path).step == 4
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_a_run_ends_early_where_people_held_out_are_told_apart_no_better(faces: FaceSet, tmp_path: Path) -> None:
    still = replace(TINY, optimiser=Optimiser("sgd", learning_rate=0.0), schedule=Schedule(steps=100), patience=2)
    assert run(still, faces, tmp_path).step < 10


def test_a_run_that_ended_early_trains_no_more(faces: FaceSet, tmp_path: Path) -> None:
    still = replace(TINY, optimiser=Optimiser("sgd", learning_rate=0.0), schedule=Schedule(steps=100), patience=2)
    ended = run(still, faces, tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    assert run(still, faces, tmp_path).step == ended.step
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_a_run_begins_with_the_network_of_the_one_before(faces: FaceSet, tmp_path: Path) -> None:
    before = run(TINY, faces, tmp_path)
    behind = replace(TINY, name="behind", begins_with=TINY.name)
    begun = begin(replace(job(behind, faces, tmp_path / "behind"), start=tmp_path / CHECKPOINT))
    assert begun.step == 0
    for one, other in zip(begun.parameters(), before.average.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_run_does_not_begin_with_a_network_of_another_recipe(faces: FaceSet, tmp_path: Path) -> None:
    run(TINY, faces, tmp_path)
    behind = replace(TINY, name="behind", begins_with="another")
    with pytest.raises(TrainingError, match="is of tiny and holds nns2 in 128 dimensions; behind begins with another"):
        begin(replace(job(behind, faces, tmp_path / "behind"), start=tmp_path / CHECKPOINT))


def test_a_run_does_not_begin_with_half_of_another(faces: FaceSet, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(TINY, faces, tmp_path, stop_after=3)
    behind = replace(TINY, name="behind", begins_with=TINY.name)
    with pytest.raises(TrainingError, match="is of step 2, before the end of tiny"):
        begin(replace(job(behind, faces, tmp_path / "behind"), start=tmp_path / CHECKPOINT))


def test_a_run_does_not_begin_with_a_network_that_knows_the_people_held_out(faces: FaceSet, tmp_path: Path) -> None:
    run(TINY, faces, tmp_path)
    more = replace(faces, people=faces.people + 1, names=("another", *faces.names))
    behind = replace(TINY, name="behind", begins_with=TINY.name)
    with pytest.raises(TrainingError, match="begun on other faces: people looked at differ"):
        begin(replace(job(behind, more, tmp_path / "behind"), start=tmp_path / CHECKPOINT))


def test_a_look_at_the_people_held_out_is_no_part_of_a_step_s_time() -> None:
    clock = Clock()
    clock.add({"loss": 1.0}, 8)
    clock.take()
    time.sleep(0.05)
    clock.restart()
    clock.add({"loss": 1.0}, 8)
    assert clock.take()["faces_per_s"] > 8 / 0.05


def test_a_network_is_trained_on_crops_that_are_cut_as_the_canvases_are(faces: FaceSet, tmp_path: Path) -> None:
    box = BoxCrop(margin=0.0, height=128, width=128)
    boxes = job(TINY, replace(faces, alignment=box), tmp_path)
    assert boxes.alignment == BoxCrop(margin=0.0, height=140, width=116)
    assert job(TINY, faces, tmp_path).alignment == architecture("nns2").alignment


def test_a_loss_that_is_no_number_stops_the_run_and_leaves_the_last_checkpoint(faces: FaceSet, tmp_path: Path) -> None:
    run(TINY, faces, tmp_path)
    kept = (tmp_path / CHECKPOINT).read_bytes()
    wild = replace(TINY, optimiser=Optimiser("sgd", learning_rate=1e30, clip=1e30), schedule=Schedule(steps=20))
    with pytest.raises(TrainingError, match=r"not (a number|finite)"):
        run(wild, faces, tmp_path / "wild")
    assert (tmp_path / CHECKPOINT).read_bytes() == kept


def test_a_checkpoint_of_another_recipe_is_refused_by_what_differs(faces: FaceSet, tmp_path: Path) -> None:
    run(TINY, faces, tmp_path)
    with pytest.raises(TrainingError, match=r"batch, seed differ"):
        run(replace(TINY, batch=12, seed=1), faces, tmp_path)


def test_a_remark_on_a_recipe_is_no_other_recipe(faces: FaceSet, tmp_path: Path) -> None:
    run(TINY, faces, tmp_path)
    run(replace(TINY, cost="an hour", result="good"), faces, tmp_path)


def test_a_damaged_checkpoint_is_refused(faces: FaceSet, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"no checkpoint")
    with pytest.raises(TrainingError, match="not a checkpoint that can be read"):
        run(TINY, faces, tmp_path)


def test_a_full_disk_in_the_middle_of_a_checkpoint_leaves_the_one_before(faces: FaceSet, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(TINY, faces, tmp_path, stop_after=3)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with disk_full_at(1_000_000), pytest.raises(OSError, match="too large"):
        run(TINY, faces, tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_fewer_people_than_a_batch_needs_is_told_before_anything_is_trained(faces: FaceSet) -> None:
    with pytest.raises(TrainingError, match=r"A batch needs 1800 faces"):
        objective(replace(TINY, batch=1800), faces, no_teacher)


def test_float16_learns_as_float32_does(faces: FaceSet, tmp_path: Path) -> None:
    by_precision = {}
    for precision in ("float16", "float32"):
        run(replace(TINY, precision=precision), faces, tmp_path / precision)
        by_precision[precision] = [one["loss"] for one in losses(tmp_path / precision) if "loss" in one]
    assert by_precision["float16"] == pytest.approx(by_precision["float32"], rel=0.1)
    assert by_precision["float16"] != by_precision["float32"]


def test_a_gradient_beyond_float16_costs_a_step_and_not_the_run(faces: FaceSet, tmp_path: Path) -> None:
    training = job(replace(TINY, precision="float16"), faces, tmp_path)
    begun = begin(training)
    state = begun.state()
    begun.restore(state | {"scaler": state["scaler"] | {"scale": 2.0**60}})
    before = [one.clone() for one in begun.parameters()]
    begun.take_step(loader_of(training).batch(0), ALONE)
    for one, other in zip(begun.parameters(), before, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert begun.state()["scaler"]["scale"] == 2.0**59


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_asked_for_and_missing_is_said() -> None:
    with pytest.raises(TrainingError, match="No GPU"):
        device("cuda")


def test_a_recipe_that_does_not_exist_is_said_with_those_that_do() -> None:
    with pytest.raises(TrainingError, match="smoke"):
        recipe_of("smoked")


PINNED = [0.12900, 0.13497]
"""The first losses of the tiny run, which nothing but a change of its meaning moves."""


def test_the_first_losses_are_pinned(faces: FaceSet, tmp_path: Path) -> None:
    run(replace(TINY, precision="float32", evaluate_every=1), faces, tmp_path)
    found = [one["loss"] for one in losses(tmp_path) if "loss" in one]
    assert found[:2] == pytest.approx(PINNED, rel=0.01)
