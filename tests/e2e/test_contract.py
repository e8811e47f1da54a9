"""Every operation of the OpenAPI description does what it says, whatever comes.

More requests: pytest tests/e2e/test_contract.py --contract-examples 100
"""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.served import Served

ROOT = Path(__file__).parents[2]
SETTINGS = Path(__file__).with_name("schemathesis.toml")


def test_every_operation_does_what_its_description_says(served: Served, pytestconfig: pytest.Config) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS)]
    examples = str(pytestconfig.getoption("contract_examples"))
    done = subprocess.run(
        [*command, "run", f"{served.url}/openapi.json", "--max-examples", examples],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout[-500:])  # noqa: T201  # the figures, for pytest -s
    assert done.returncode == 0, done.stdout + done.stderr
    assert answered(served) >= operations(served)
    assert not any('"event": "failed"' in line for line in served.lines)


def operations(served: Served) -> set[tuple[str, str]]:
    paths = httpx.get(f"{served.url}/openapi.json").json()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def answered(served: Served) -> set[tuple[str, str]]:
    """The operations that were not only ever refused."""
    return {
        (sample.labels["method"], sample.labels["route"])
        for family in text_string_to_metric_families(httpx.get(f"{served.url}/metrics").text)
        for sample in family.samples
        if sample.name == "face_request_seconds_count" and sample.labels["status"].startswith("2")
    }
