"""The README's examples answer as printed."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.served import Served, command

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"^\$ (curl .*?)\n(\{.*?^\})$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def after_the_demo(served: Served, photographs: Path) -> Served:
    subprocess.run(command("demo", str(photographs), "--url", served.url), check=True, capture_output=True, timeout=120)
    return served


def test_there_are_three_examples() -> None:
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize(("typed", "printed"), EXAMPLES)
def test_an_example_answers_as_printed(after_the_demo: Served, typed: str, printed: str) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    _, *arguments = shlex.split(typed.replace("\\\n", " ").replace("http://127.0.0.1:8000", after_the_demo.url))
    done = subprocess.run([curl, "-sS", *arguments], cwd=ROOT, capture_output=True, timeout=60, check=True)
    assert lasting(json.loads(done.stdout)) == near(lasting(json.loads(printed)))


def lasting(answer: object) -> object:
    """Without the ids that the service makes anew for every enrolled face."""
    match answer:
        case dict():
            return {key: lasting(one) for key, one in answer.items() if not (key == "face" and isinstance(one, str))}
        case list():
            return [lasting(one) for one in answer]
    return answer


def near(printed: object) -> object:
    """Its numbers to a tolerance: processors differ in the last digits."""
    match printed:
        case dict():
            return {key: near(one) for key, one in printed.items()}
        case list():
            return [near(one) for one in printed]
        case float():
            return pytest.approx(printed, abs=0.01)
    return printed
