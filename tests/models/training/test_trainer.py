"""Steps in float16, and steps whose loss or gradient is not finite."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.errors import TrainingError
from models.training.data.face_set import FaceSet
from models.training.distributed import SINGLE_PROCESS
from models.training.loop import CHECKPOINT, create_loader, create_trainer
from models.training.optimisation.schedule import Schedule
from models.training.recipes.settings import ArcFaceSettings, OptimiserSettings
from tests.models.training.tiny import TINY, create_job, recorded_losses, run_loop

pytestmark = pytest.mark.slow


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_checkpoint(faces: FaceSet, tmp_path: Path) -> None:
    run_loop(TINY, faces, tmp_path)
    kept = (tmp_path / CHECKPOINT).read_bytes()
    diverging = OptimiserSettings("sgd", learning_rate=1e30, clip=1e30)
    with pytest.raises(TrainingError, match=r"not (a finite number|finite)"):
        run_loop(replace(TINY, optimiser=diverging, schedule=Schedule(steps=20)), faces, tmp_path / "diverging")
    assert (tmp_path / CHECKPOINT).read_bytes() == kept


def test_the_weights_of_the_objective_are_clipped_with_the_network(faces: FaceSet, tmp_path: Path) -> None:
    clipped = replace(TINY, objective=ArcFaceSettings(), optimiser=replace(TINY.optimiser, clip=1e-3))
    job = create_job(clipped, faces, tmp_path)
    trainer = create_trainer(job)
    trainer.train_step(create_loader(job).make_batch(0), SINGLE_PROCESS)
    parameters = [*trainer.network.parameters(), *job.objective.head.parameters()]
    lengths = [parameter.grad.norm() for parameter in parameters if parameter.grad is not None]
    assert torch.stack(lengths).norm().item() == pytest.approx(1e-3, rel=1e-3)


def test_a_gradient_of_the_objective_that_is_not_finite_stops_the_run(faces: FaceSet, tmp_path: Path) -> None:
    job = create_job(replace(TINY, objective=ArcFaceSettings(), precision="float32"), faces, tmp_path)
    trainer = create_trainer(job)
    (centres,) = job.objective.head.parameters()
    centres.register_hook(lambda gradient: gradient * torch.inf)  # type: ignore[no-untyped-call]
    with pytest.raises(TrainingError, match="is not a finite number"):
        trainer.train_step(create_loader(job).make_batch(0), SINGLE_PROCESS)


def test_float16_learns_as_float32_does(faces: FaceSet, tmp_path: Path) -> None:
    # The learning rate is low. After large steps, a rounding error can change the mined triplets, and so the loss.
    recipe = replace(TINY, optimiser=replace(TINY.optimiser, learning_rate=1e-4))
    losses = {}
    for precision in ("float16", "float32"):
        run_loop(replace(recipe, precision=precision), faces, tmp_path / precision)
        losses[precision] = [entry["loss"] for entry in recorded_losses(tmp_path / precision) if "loss" in entry]
    assert losses["float16"] == pytest.approx(losses["float32"], rel=0.05)
    assert losses["float16"] != losses["float32"]


def test_a_gradient_too_large_for_float16_skips_the_step_and_does_not_stop_the_run(
    faces: FaceSet, tmp_path: Path
) -> None:
    job = create_job(replace(TINY, precision="float16"), faces, tmp_path)
    trainer = create_trainer(job)
    state = trainer.state()
    trainer.restore(state | {"scaler": state["scaler"] | {"scale": 2.0**60}})
    before = [parameter.clone() for parameter in trainer.network.parameters()]
    trainer.train_step(create_loader(job).make_batch(0), SINGLE_PROCESS)
    for weights, weights_before in zip(trainer.network.parameters(), before, strict=True):
        torch.testing.assert_close(weights, weights_before, rtol=0, atol=0)
    assert trainer.state()["scaler"]["scale"] == 2.0**59
