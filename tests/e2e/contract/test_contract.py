"""Every operation agrees with its OpenAPI description, for random requests.

For more requests: pytest tests/e2e/contract --contract-examples 100
"""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.running_service import RunningService

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SETTINGS = Path(__file__).with_name("schemathesis.toml")


def test_every_operation_agrees_with_its_description(service: RunningService, pytestconfig: pytest.Config) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS)]
    examples = str(pytestconfig.getoption("contract_examples"))
    result = subprocess.run(
        [*command, "run", f"{service.url}/openapi.json", "--max-examples", examples],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    print(result.stdout[-500:])  # noqa: T201  # the figures, for pytest -s
    assert result.returncode == 0, result.stdout + result.stderr
    assert successful_operations(service) >= described_operations(service)
    assert not any('"event": "failed"' in line for line in service.log_lines)


def described_operations(service: RunningService) -> set[tuple[str, str]]:
    paths = httpx.get(f"{service.url}/openapi.json").json()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def successful_operations(service: RunningService) -> set[tuple[str, str]]:
    """Return the operations that succeeded at least once."""
    return {
        (sample.labels["method"], sample.labels["route"])
        for family in text_string_to_metric_families(httpx.get(f"{service.url}/metrics").text)
        for sample in family.samples
        if sample.name == "face_request_seconds_count" and sample.labels["status"].startswith("2")
    }
