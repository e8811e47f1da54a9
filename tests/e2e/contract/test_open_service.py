"""Without access keys, every operation agrees with its OpenAPI description, for random requests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.contract.random_requests import (
    ALL_ROUTES,
    CHECKSUMMED,
    described_operations,
    send_random_requests,
    successful_operations,
)
from tests.support.running_service import RunningService, run_service

pytestmark = pytest.mark.slow

WITHOUT_KEYS = ("--exclude-path-regex", "^/keys")
"""The first key closes a service without keys, and all further requests would be refused."""


@pytest.fixture(scope="module")
def service(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Return a running service without keys."""
    with run_service(tmp_path_factory.mktemp("open") / "data", models_dir, **ALL_ROUTES) as service:
        yield service


def test_every_operation_agrees_with_its_description(service: RunningService, pytestconfig: pytest.Config) -> None:
    send_random_requests(service, pytestconfig, *WITHOUT_KEYS)
    assert successful_operations(service) >= {
        operation for operation in described_operations(service) - CHECKSUMMED if not operation[1].startswith("/keys")
    }
