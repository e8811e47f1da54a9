"""Two processes are one: the same triplets, the same loss, the same gradient, whichever process embedded a face."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models.architectures import build
from models.architectures.inception import NNS2
from models.augmentation import Views
from models.batches import Batches
from models.errors import TrainingError
from models.faces import FaceSet
from models.training.distributed import World, device, joined
from models.training.loader import Loader
from models.training.objectives.triplets import TripletLearning
from models.training.recipes import Optimiser, Recipe, Triplets
from models.training.run import Run
from models.training.schedule import Schedule
from models.triplets import SemiHardMiner

RECIPE = Recipe(
    name="two",
    architecture="nns2",
    towards=Triplets(per_person=4),
    optimiser=Optimiser("sgd", learning_rate=0.01, clip=1e9),
    schedule=Schedule(steps=2),
    batch=16,
    chunk=8,
    precision="float32",
)


def gradient(faces: FaceSet, world: World) -> tuple[float, torch.Tensor]:
    """The loss of one step and the gradient of the first layer, before anything moved."""
    torch.manual_seed(0)
    objective = TripletLearning(
        faces.canvases, faces.people, Batches(faces.people, faces.sources, 16, 4), SemiHardMiner()
    )
    run = Run(RECIPE, build("nns2"), objective, torch.device("cpu"))
    loader = Loader(faces.canvases, Views(faces.alignment, NNS2.alignment), objective.draw, 7, world)
    figures = run.take_step(loader.batch(0), world)
    first = next(iter(run.parameters()))
    assert first.grad is not None
    return figures["loss"], first.grad


def test_two_processes_equal_one_over_the_same_two_chunks(faces: FaceSet, tmp_path: Path) -> None:
    np.savez(tmp_path / "faces.npz", canvases=faces.canvases, people=faces.people, sources=faces.sources)
    processes = [subprocess.Popen([sys.executable, __file__, str(tmp_path)], env=env) for env in two_environments()]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    loss, expected = gradient(faces, World())
    for rank in range(2):
        theirs = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert theirs["loss"] == pytest.approx(loss, abs=1e-5)
        torch.testing.assert_close(theirs["gradient"], expected, rtol=1e-4, atol=1e-5)


def test_a_batch_that_does_not_divide_among_the_processes_is_refused() -> None:
    with pytest.raises(TrainingError, match="does not divide among 2"):
        World(0, 2).share(np.arange(5))


def test_a_process_without_a_gpu_of_its_own_says_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(TrainingError, match="--nproc-per-node=2"):
        device("cuda")


def test_the_shares_are_the_batch_in_its_order() -> None:
    rows = np.array([5, 3, 8, 1])
    np.testing.assert_array_equal(np.concatenate([World(rank, 2).share(rows) for rank in range(2)]), rows)


def two_environments() -> list[dict[str, str]]:
    """What torchrun tells its processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    common = {**os.environ, **address, "WORLD_SIZE": "2", "PYTHONPATH": ".", "OMP_NUM_THREADS": "1"}
    return [{**common, "RANK": str(rank)} for rank in range(2)]


def in_one_of_two_processes(folder: Path) -> None:
    arrays = np.load(folder / "faces.npz")
    names = tuple("abcdef")
    faces = FaceSet(arrays["canvases"], arrays["people"], arrays["sources"], names, ("one", "other"))
    with joined(torch.device("cpu")) as world:
        loss, of_first = gradient(faces, world)
        torch.save({"loss": loss, "gradient": of_first}, folder / f"{world.rank}.pt")
        assert world.agree(decision=world.rank == 0)
        with world.first():
            assert (world.rank == 0) == (not (folder / "first").exists())
            (folder / "first").touch()


if __name__ == "__main__":
    in_one_of_two_processes(Path(sys.argv[1]))
