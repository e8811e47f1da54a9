import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "models", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["pull", "sfase"], "The zoo has no model sfase; did you mean sface?"),
        (["check", "nowhere.onnx"], "nowhere.onnx is missing."),
        (["train", "smoked", "--data", ".", "--out", "var/runs/smoked"], "There is no recipe smoked."),
        (
            ["train", "harmonic-compact", "--data", ".", "--out", "var/nowhere/h"],
            "harmonic-compact begins with the network",
        ),
        (["train", "smoke", "--data", ".", "--out", "var/runs/s"], "set.json cannot be read"),
        (["profile", "nn5"], "There is no network nn5"),
        (["export", "README.md", "mine", "--data", "."], "README.md is not a checkpoint that can be read"),
        (
            ["export", "README.md", "mine", "--data", ".", "--card", "README.md"],
            "README.md is not TOML: ",
        ),
        (["quantise", "README.md", "int8", "--data", "."], "README.md is not an ONNX file with a valid card."),
        (["evaluate", "lfw", "--images", ".", "--pairs", "nowhere.txt"], "nowhere.txt cannot be read"),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_1(arguments: list[str], complaint: str) -> None:
    done = _run(*arguments)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("facenet-models: ")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("models_dir")
def test_what_is_there_is_not_pulled_again_and_is_told_on_standard_output() -> None:
    done = _run("pull", "sface", "yunet")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["var/models/sface.onnx", "var/models/yunet.onnx"]


def test_check_prints_the_card(models_dir: Path) -> None:
    done = _run("check", str(models_dir / "yunet.onnx"))

    assert done.returncode == 0
    assert '"name": "yunet"' in done.stdout


def test_profile_prints_what_the_paper_prints_beside_what_was_counted() -> None:
    done = _run("profile", "nn2")

    assert done.returncode == 0
    assert "7,456,304" in done.stdout
    assert "1.6B" in done.stdout
