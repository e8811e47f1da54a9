import json
import subprocess
import sys
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from models.zoo.catalogue import read_zoo
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def sbom() -> str:
    command = [sys.executable, "docker/sbom.py", "locks/serve-cpu.txt", "sface", "yunet"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def components_of_type(sbom: str, kind: str) -> dict[str, Any]:
    return {component["name"]: component for component in json.loads(sbom)["components"] if component["type"] == kind}


def test_the_sbom_is_valid_cyclonedx(sbom: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom) is None


def test_the_sbom_lists_exactly_the_packages_that_the_lock_installs_on_linux(sbom: str) -> None:
    lock = (ROOT / "locks" / "serve-cpu.txt").read_text("utf-8").splitlines()
    pinned = [line for line in lock if "==" in line and not line.startswith((" ", "#"))]
    expected = {line.partition("==")[0] for line in pinned if "win32" not in line}
    libraries = components_of_type(sbom, "library")
    assert libraries.keys() == expected
    assert "numpy" in libraries
    assert libraries["numpy"]["purl"].startswith("pkg:pypi/numpy@")


def test_the_sbom_lists_the_models_with_the_sha256_of_their_files(sbom: str) -> None:
    assert {
        name: component["hashes"][0]["content"]
        for name, component in components_of_type(sbom, "machine-learning-model").items()
    } == {name: read_zoo().entry(name).sha256 for name in ("sface", "yunet")}
