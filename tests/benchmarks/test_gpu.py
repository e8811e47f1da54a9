"""The benchmark of a GPU, run on the CPU: it tests the program, and measures nothing."""

import json
import subprocess
import sys
from pathlib import Path

import onnxruntime as ort
import pytest

ROOT = Path(__file__).parents[2]


def run_benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.gpu", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


@pytest.mark.slow
def test_every_way_to_call_is_measured_and_written(models_dir: Path, photographs: Path, tmp_path: Path) -> None:
    folders = (f"--models={models_dir}", f"--photographs={photographs}", f"--out={tmp_path}")

    ended = run_benchmark("--provider=cpu", "--batches", "1", "3", "--seconds=0.05", "--clients=2", *folders)

    assert ended.returncode == 0, ended.stderr
    rows = json.loads((tmp_path / "gpu.json").read_text("utf-8"))["rows"]
    ways = ["plain, 1 caller", "bound, 1 caller", "bound, 2 callers"]
    assert [row["what"] for row in rows] == [*ways, *ways, "service, POST /verify"]
    assert [row["batch"] for row in rows[:6]] == ["1", "1", "1", "3", "3", "3"]
    assert all(row["faces_per_s"] > 0 for row in rows)
    assert "calls" in rows[-1]["batch"]


@pytest.mark.slow
@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="there may be a GPU")
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_without_a_gpu_it_ends_with_one_line(models_dir: Path, tmp_path: Path, provider: str) -> None:
    ended = run_benchmark(f"--provider={provider}", f"--models={models_dir}", f"--out={tmp_path}")

    assert ended.returncode == 1
    assert (ended.stdout, ended.stderr.count("\n")) == ("", 1)
    assert f"no {provider} provider" in ended.stderr
    assert not list(tmp_path.iterdir())
