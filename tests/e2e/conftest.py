"""A service in its own process, for tests that need one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running_service import RunningService, run_service


@pytest.fixture(scope="module")
def service(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with run_service(tmp_path_factory.mktemp("home") / "data", models_dir) as service:
        yield service
