import json
import subprocess
import sys
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from models.zoo import read_zoo
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def printed() -> str:
    command = [sys.executable, "docker/sbom.py", "locks/serve-cpu.txt", "sface", "yunet"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def of_type(printed: str, kind: str) -> dict[str, Any]:
    return {one["name"]: one for one in json.loads(printed)["components"] if one["type"] == kind}


def test_it_is_cyclonedx(printed: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(printed) is None


def test_it_names_what_linux_gets_of_the_lock_and_no_more(printed: str) -> None:
    lock = (ROOT / "locks" / "serve-cpu.txt").read_text("utf-8").splitlines()
    pinned = [line for line in lock if "==" in line and not line.startswith((" ", "#"))]
    expected = {line.partition("==")[0] for line in pinned if "win32" not in line}
    found = of_type(printed, "library")
    assert found.keys() == expected
    assert "numpy" in found
    assert found["numpy"]["purl"].startswith("pkg:pypi/numpy@")


def test_it_names_the_models_by_the_sum_of_their_files(printed: str) -> None:
    assert {name: one["hashes"][0]["content"] for name, one in of_type(printed, "machine-learning-model").items()} == {
        name: read_zoo().entry(name).sha256 for name in ("sface", "yunet")
    }
