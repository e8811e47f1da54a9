"""Two processes give the same loss and the same gradients as one process."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.architectures import build_network
from models.architectures.inception import NNS2
from models.errors import TrainingError
from models.training.data.augmentation import Augmenter
from models.training.data.face_set import FaceSet
from models.training.data.loader import BatchLoader
from models.training.data.triplet_batches import TripletBatchSettings
from models.training.distributed import World, find_device, join_processes
from models.training.objectives.build import build_objective
from models.training.optimisation.schedule import Schedule
from models.training.recipes.settings import ArcFaceSettings, OptimiserSettings, Recipe, TripletSettings
from models.training.trainer import Trainer
from tests.models.training.tiny import CPU, no_teacher

pytestmark = pytest.mark.slow

TRIPLETS = Recipe(
    name="triplets",
    architecture="nns2",
    objective=TripletSettings(batches=TripletBatchSettings(faces_per_person=4)),
    optimiser=OptimiserSettings("sgd", learning_rate=0.01, clip=1e9),
    schedule=Schedule(steps=2),
    batch_size=16,
    chunk_size=8,
    precision="float32",
)
RECIPES = {"triplets": TRIPLETS, "classification": replace(TRIPLETS, objective=ArcFaceSettings())}


@dataclass(frozen=True, slots=True)
class FirstStep:
    """The loss of the first step, and its gradients: of the first layer, and of the weights of the objective."""

    loss: float
    gradients: list[Tensor]


def take_first_step(recipe: Recipe, faces: FaceSet, world: World) -> FirstStep:
    # All processes must begin with the same weights, even if they have drawn different random numbers before.
    torch.manual_seed(world.rank)
    objective = build_objective(recipe, faces, no_teacher)
    torch.manual_seed(0)
    trainer = Trainer(recipe, build_network("nns2"), objective, CPU)
    loader = BatchLoader(faces.canvases, Augmenter(faces.alignment, NNS2.alignment), objective.draw_rows, 7, world)
    values = trainer.train_step(loader.make_batch(0), world)
    trained = [next(iter(trainer.network.parameters())), *objective.head.parameters()]
    return FirstStep(values["loss"], [weights.grad for weights in trained if weights.grad is not None])


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Use one thread, as the two processes do. With more threads, sums are rounded in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", RECIPES)
def test_two_processes_equal_one_process_with_the_same_two_chunks(name: str, faces: FaceSet, tmp_path: Path) -> None:
    np.savez(tmp_path / "faces.npz", canvases=faces.canvases, people=faces.people, sources=faces.sources)
    command = [sys.executable, __file__, name, str(tmp_path)]
    processes = [subprocess.Popen(command, env=env) for env in two_environments()]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    expected = take_first_step(RECIPES[name], faces, World())
    for rank in range(2):
        of_process = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert of_process["loss"] == pytest.approx(expected.loss, abs=1e-5)
        for gradient, of_one_process in zip(of_process["gradients"], expected.gradients, strict=True):
            torch.testing.assert_close(gradient, of_one_process, rtol=1e-4, atol=1e-5)


def test_a_batch_that_does_not_divide_evenly_among_the_processes_is_refused() -> None:
    with pytest.raises(TrainingError, match="does not divide evenly among 2"):
        World(0, 2).share(np.arange(5))


def test_the_error_for_a_process_without_a_gpu_names_the_number_of_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(TrainingError, match="--nproc-per-node=2"):
        find_device("cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_without_a_gpu_is_refused() -> None:
    with pytest.raises(TrainingError, match="no GPU was found"):
        find_device("cuda")


def test_the_shares_of_the_processes_are_the_batch_in_its_order() -> None:
    rows = np.array([5, 3, 8, 1])
    np.testing.assert_array_equal(np.concatenate([World(rank, 2).share(rows) for rank in range(2)]), rows)


def two_environments() -> list[dict[str, str]]:
    """Return the environment variables that torchrun gives to two processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    common = {**os.environ, **address, "WORLD_SIZE": "2", "PYTHONPATH": ".", "OMP_NUM_THREADS": "1"}
    return [{**common, "RANK": str(rank)} for rank in range(2)]


def run_as_one_of_two_processes(recipe: Recipe, folder: Path) -> None:
    arrays = np.load(folder / "faces.npz")
    names = tuple("abcdef")
    faces = FaceSet(arrays["canvases"], arrays["people"], arrays["sources"], names, ("one", "other"))
    with join_processes(torch.device("cpu")) as world:
        step = take_first_step(recipe, faces, world)
        torch.save({"loss": step.loss, "gradients": step.gradients}, folder / f"{world.rank}.pt")
        assert world.broadcast_decision(decision=world.rank == 0)
        with world.first_process_first():
            assert (world.rank == 0) == (not (folder / "first").exists())
            (folder / "first").touch()


if __name__ == "__main__":
    run_as_one_of_two_processes(RECIPES[sys.argv[1]], Path(sys.argv[2]))
