"""A service that wants a key."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.contract.random_requests import ALL_ROUTES, KEY
from tests.support.running_service import RunningService, run_service


@pytest.fixture(scope="module")
def closed_service(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Return a running service that wants a key."""
    folder = tmp_path_factory.mktemp("closed")
    (folder / "operator").write_text(KEY)
    with run_service(
        folder / "data", models_dir, FACE_ADMIN_KEY_FILE=str(folder / "operator"), **ALL_ROUTES
    ) as service:
        yield service
