"""The example of the README gives the printed answer, and its other calls succeed."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.running_service import RunningService, facenet_command

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"^\$ (curl .*?)\n(\{.*?^\})$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
CALLS = re.findall(r"^\| `(curl .*?)` \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
OMITTED = "{...}"
"""The README prints this instead of an object that it does not show."""


@pytest.fixture(scope="module")
def service_after_demo(service: RunningService, photographs: Path) -> RunningService:
    subprocess.run(
        facenet_command("demo", str(photographs), "--url", service.url), check=True, capture_output=True, timeout=120
    )
    return service


def test_the_readme_has_one_example() -> None:
    assert len(EXAMPLES) == 1


@pytest.mark.parametrize(("call", "printed"), EXAMPLES)
def test_the_example_gives_the_printed_answer(service_after_demo: RunningService, call: str, printed: str) -> None:
    answer, printed_answer = (
        run_call(call, service_after_demo.url),
        json.loads(printed.replace(OMITTED, json.dumps(OMITTED))),
    )
    assert list(answer) == list(printed_answer)
    assert {name: value for name, value in answer.items() if printed_answer[name] != OMITTED} == {
        name: approximately(value) for name, value in printed_answer.items() if value != OMITTED
    }


def test_the_readme_has_three_other_calls() -> None:
    assert len(CALLS) == 3


@pytest.mark.parametrize(
    ("call", "expected"), [*zip(CALLS, [{"subject": "obama"}, {"label": 0}, {"embedding"}], strict=True)]
)
def test_the_other_calls_return_the_expected_fields_of_a_face(
    service_after_demo: RunningService, call: str, expected: dict[str, object] | set[str]
) -> None:
    answer = run_call(call, service_after_demo.url)
    face = (answer.get("faces") or answer["images"][0]["faces"])[0]
    assert set(expected) <= set(face)
    if isinstance(expected, dict):
        assert expected.items() <= face.items()


def test_the_cluster_call_finds_two_photographs_of_one_person_and_one_of_another(
    service_after_demo: RunningService,
) -> None:
    (call,) = (call for call in CALLS if "/cluster" in call)
    answer = run_call(call, service_after_demo.url)
    assert [face["label"] for face in answer["faces"]] == [0, 0, 1]


def run_call(call: str, url: str) -> dict[str, Any]:
    """Run a curl command of the README against the service at this address, and return the JSON of its answer."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    _, *arguments = shlex.split(call.replace("\\\n", " ").replace("http://127.0.0.1:8000", url))
    result = subprocess.run([curl, "-fsS", *arguments], cwd=ROOT, capture_output=True, timeout=60, check=True)
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def approximately(printed: object) -> object:
    """Allow a tolerance for numbers: processors differ in the last digits."""
    match printed:
        case dict():
            return {name: approximately(value) for name, value in printed.items()}
        case list():
            return [approximately(value) for value in printed]
        case float():
            return pytest.approx(printed, abs=0.01)
    return printed
