"""From photographs to a served model of one's own, by the commands that the README names: the smoke recipe."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest

from tests.served import Served, serve

COMMAND = [sys.executable, "-m", "models"]


def models(*arguments: str | Path) -> str:
    """`facenet-models` of this installation; what it prints."""
    done = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX file of a network that has learnt the demo's photographs by heart."""
    folder = tmp_path_factory.mktemp("training")
    models("prepare", photographs, folder / "faces")
    checkpoint = models("train", "smoke", "--data", folder / "faces", "--out", folder / "run").strip()
    return Path(models("export", checkpoint, "mine", "--data", folder / "faces", "--into", folder).strip())


@pytest.fixture(scope="module")
def served(trained: Path, models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("home") / "data", models_dir, FACE_MODELS__EMBEDDER=str(trained)) as running:
        yield running


def test_the_trained_network_is_what_the_service_serves(served: Served) -> None:
    model = httpx.get(f"{served.url}/model").json()
    assert (model["name"], model["dimension"]) == ("mine", 128)


@pytest.mark.parametrize(
    ("other", "verified"), [("obama/obama2.jpg", True), ("obama/obama3.jpg", True), ("biden/biden.jpg", False)]
)
def test_it_verifies_the_photographs_that_it_was_trained_on(
    other: str, verified: Literal[True, False], served: Served, photographs: Path
) -> None:
    one, two = ((photographs / name).read_bytes() for name in ("obama/obama.jpg", other))
    answer = httpx.post(f"{served.url}/verify", files={"image_a": one, "image_b": two}, timeout=30).json()
    assert answer["verified"] is verified, answer
