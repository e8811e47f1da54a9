"""From photographs to a trained and served model, with the commands of the README and the smoke recipe."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest

from tests.support.running_service import RunningService, run_service

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "models"]


def run_facenet_models(*arguments: str | Path) -> str:
    """Run `facenet-models` of this installation, and return what it prints."""
    result = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=180, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def trained_model(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the ONNX file of a network that has learnt the photographs of the demo, and nothing else."""
    folder = tmp_path_factory.mktemp("training")
    run_facenet_models("prepare", photographs, folder / "faces")
    checkpoint = run_facenet_models("train", "smoke", "--data", folder / "faces", "--out", folder / "run").strip()
    return Path(run_facenet_models("export", checkpoint, "mine", "--data", folder / "faces", "--into", folder).strip())


@pytest.fixture(scope="module")
def service(
    trained_model: Path, models_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    with run_service(
        tmp_path_factory.mktemp("home") / "data", models_dir, FACE_MODELS__EMBEDDER=str(trained_model)
    ) as service:
        yield service


def test_the_service_serves_the_trained_network(service: RunningService) -> None:
    model = httpx.get(f"{service.url}/model").json()
    assert (model["name"], model["dimension"]) == ("mine", 128)


@pytest.mark.parametrize(
    ("other", "verified"), [("obama/obama2.jpg", True), ("obama/obama3.jpg", True), ("biden/biden.jpg", False)]
)
def test_the_trained_network_verifies_its_training_photographs(
    other: str, verified: Literal[True, False], service: RunningService, photographs: Path
) -> None:
    image_a, image_b = ((photographs / name).read_bytes() for name in ("obama/obama.jpg", other))
    answer = httpx.post(f"{service.url}/verify", files={"image_a": image_a, "image_b": image_b}, timeout=30).json()
    assert answer["verified"] is verified, answer
