"""Acknowledged faces survive kill -9, and the faces of a request are stored completely or not at all."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.enrolling_clients import REQUESTS_BEFORE_KILL, EnrollingClients, check_acknowledged_faces
from tests.support.running_service import run_service

pytestmark = pytest.mark.slow


def test_acknowledged_faces_are_identified_after_kill_9(
    models_dir: Path, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    acknowledged: dict[str, list[list[float]]] = {}
    rounds = int(pytestconfig.getoption("kill_rounds"))
    for _ in range(rounds):
        with run_service(tmp_path / "data", models_dir) as service:
            check_acknowledged_faces(service.url, acknowledged)
            clients = EnrollingClients(service.url, httpx.get(f"{service.url}/model").json()["id"])
            clients.start()
            clients.wait_for_acknowledgements()
            service.kill()
            clients.join()
            acknowledged |= clients.acknowledged
    with run_service(tmp_path / "data", models_dir) as service:
        check_acknowledged_faces(service.url, acknowledged)
    assert len(acknowledged) >= rounds * REQUESTS_BEFORE_KILL


def test_kills_full_disks_and_lost_files_lose_nothing(models_dir: Path) -> None:
    """`make chaos` does the same with many more faults."""
    command = [sys.executable, "-m", "benchmarks.chaos", "--models", str(models_dir)]
    counts = ["--kills", "2", "--full-disks", "1", "--moves", "1"]
    result = subprocess.run([*command, *counts], capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
