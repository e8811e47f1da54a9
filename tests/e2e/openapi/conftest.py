"""A service that wants a key, as most services do, and a client with the key of its operator."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.running_service import RunningService, run_service

KEY = "the-key-of-the-operator-of-these-tests"


@pytest.fixture(scope="module")
def closed_service(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("closed")
    (folder / "operator").write_text(KEY)
    with run_service(folder / "data", models_dir, FACE_ADMIN_KEY_FILE=str(folder / "operator")) as service:
        yield service


@pytest.fixture(scope="module")
def operator(closed_service: RunningService) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=closed_service.url, headers={"x-api-key": KEY}, timeout=60) as client:
        yield client
