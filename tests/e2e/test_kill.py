"""Acknowledged faces survive kill -9, and the faces of a request are stored completely or not at all."""

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
