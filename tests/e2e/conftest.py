"""Tests of the service as a process: what only a process can get right or wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served import Served, serve


@pytest.fixture(scope="module")
def served(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("home") / "data", models_dir) as running:
        yield running
