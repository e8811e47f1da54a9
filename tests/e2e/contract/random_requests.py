"""Random requests to every operation, and what the metrics of the service say of them.

The tests of this folder are in several files, so that they run in parallel. For more requests:
pytest tests/e2e/contract --contract-examples 100
"""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.running_service import RunningService

ROOT = Path(__file__).parents[3]
SETTINGS = Path(__file__).with_name("schemathesis.toml")
KEY = "the-key-of-the-operator-of-these-tests"
ALL_ROUTES = {"FACE_MODELS__NEXT_EMBEDDER": "compact", "FACE_GALLERY__KEEP_CROPS": "yes"}
"""Settings of the service. Without these, some operations never succeed."""
CHECKSUMMED = {("POST", "/collections/{collection}/import")}
"""No random body has the right checksum, so this never succeeds here. Its refusals are checked all the same, and
`tests/api/routes/test_moving.py` sends right bodies."""


def send_random_requests(
    service: RunningService, pytestconfig: pytest.Config, *options: str, hooks: dict[str, str] | None = None
) -> None:
    """Run schemathesis, which fails if an answer does not agree with the description.

    hooks: the environment of contract_hooks.py.
    """
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS)]
    examples = str(pytestconfig.getoption("contract_examples"))
    result = subprocess.run(
        [*command, "run", f"{service.url}/openapi.json", "--max-examples", examples, *options],
        cwd=ROOT,
        env=os.environ | (hooks or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    print(result.stdout[-500:])  # noqa: T201  # the figures, for pytest -s
    assert result.returncode == 0, result.stdout + result.stderr
    assert not any('"event": "failed"' in line for line in service.log_lines)


def described_operations(service: RunningService) -> set[tuple[str, str]]:
    """Return the method and the path of each operation of /openapi.json."""
    paths = httpx.get(f"{service.url}/openapi.json").json()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def successful_operations(service: RunningService) -> set[tuple[str, str]]:
    """Return the operations that succeeded at least once."""
    return {
        (labels["method"], labels["route"])
        for labels, _ in samples(service, "face_request_seconds_count")
        if labels["status"].startswith("2")
    }


def samples(service: RunningService, name: str) -> list[tuple[dict[str, str], float]]:
    """Return the labels and the value of every sample of a metric."""
    metrics = httpx.get(f"{service.url}/metrics", headers={"x-api-key": KEY}).text
    return [
        (dict(sample.labels), sample.value)
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == name
    ]
