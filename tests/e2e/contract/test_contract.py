"""Every operation agrees with its OpenAPI description, for random requests.

For more requests: pytest tests/e2e/contract --contract-examples 100
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.running_service import RunningService, run_service

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SETTINGS = Path(__file__).with_name("schemathesis.toml")
KEY = "the-key-of-the-operator-of-these-tests"
WITHOUT_KEYS = ("--exclude-path-regex", "^/keys")
"""The first key closes a service without keys, and all further requests would be refused."""


@pytest.fixture(scope="module")
def closed_service(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Return a running service that wants a key."""
    folder = tmp_path_factory.mktemp("closed")
    (folder / "operator").write_text(KEY)
    with run_service(folder / "data", models_dir, FACE_ADMIN_KEY_FILE=str(folder / "operator")) as service:
        yield service


def test_every_operation_agrees_with_its_description(service: RunningService, pytestconfig: pytest.Config) -> None:
    send_random_requests(service, pytestconfig, *WITHOUT_KEYS)
    assert successful_operations(service) >= {
        operation for operation in described_operations(service) if not operation[1].startswith("/keys")
    }


def test_every_operation_agrees_with_its_description_where_a_key_is_sent(
    closed_service: RunningService, pytestconfig: pytest.Config
) -> None:
    send_random_requests(
        closed_service, pytestconfig, "--header", f"Authorization: Bearer {KEY}", hooks={"CONTRACT_KEY": KEY}
    )
    assert successful_operations(closed_service) >= described_operations(closed_service)


def test_no_operation_answers_without_a_key(closed_service: RunningService, pytestconfig: pytest.Config) -> None:
    before = refused_without_key(closed_service)
    checks = "not_a_server_error,status_code_conformance,response_schema_conformance,response_headers_conformance"
    send_random_requests(closed_service, pytestconfig, "--checks", checks, hooks={"CONTRACT_WITHOUT_KEY": "yes"})
    assert refused_without_key(closed_service) > before
    assert httpx.get(f"{closed_service.url}/collections").status_code == 401


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
    paths = httpx.get(f"{service.url}/openapi.json").json()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def successful_operations(service: RunningService) -> set[tuple[str, str]]:
    """Return the operations that succeeded at least once."""
    return {
        (labels["method"], labels["route"])
        for labels, _ in samples(service, "face_request_seconds_count")
        if labels["status"].startswith("2")
    }


def refused_without_key(service: RunningService) -> float:
    """Return how many requests were refused because they had no key."""
    found = samples(service, "face_refusals_total")
    return sum(value for labels, value in found if labels["code"] == "key_missing")


def samples(service: RunningService, name: str) -> list[tuple[dict[str, str], float]]:
    """Return the labels and the value of every sample of a metric."""
    metrics = httpx.get(f"{service.url}/metrics", headers={"x-api-key": KEY}).text
    return [
        (dict(sample.labels), sample.value)
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == name
    ]
