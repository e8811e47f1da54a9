"""Faults of the process: what the client gets, and what is left behind. docs/faults.md has a row for each."""

import signal
import subprocess
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.support.running_service import STOP_TIMEOUT_S, facenet_command, run_service, service_environment

pytestmark = pytest.mark.slow

FEW_DESCRIPTORS = ("sh", "-c", 'ulimit -n 64 && exec "$0" "$@"')
FACES = 600
"""So many faces are clustered in another process."""


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.3])
def test_sigterm_at_once_ends_the_start_without_a_traceback(models_dir: Path, tmp_path: Path, after_s: float) -> None:
    environment = service_environment(tmp_path / "data", models_dir)
    command = facenet_command("serve")
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(after_s)
        process.send_signal(signal.SIGTERM)
        _, output = process.communicate(timeout=STOP_TIMEOUT_S)
    assert process.returncode in {0, -signal.SIGTERM}, "the second is Python's own start, before it can handle signals"
    assert "Traceback" not in output
    with run_service(tmp_path / "data", models_dir) as service:
        assert httpx.get(f"{service.url}/readyz").status_code == 200


def test_with_few_descriptors_requests_are_answered_one_after_the_other(
    models_dir: Path, tmp_path: Path, obama: bytes, obama2: bytes
) -> None:
    with run_service(tmp_path / "data", models_dir, *FEW_DESCRIPTORS) as service:
        clients = [httpx.Client(base_url=service.url, timeout=60) for _ in range(60)]
        statuses = []
        for client in clients:
            try:
                statuses.append(client.get("/livez").status_code)
            except httpx.TransportError:
                statuses.append(0)
        for client in clients:
            client.close()
        assert set(statuses) <= {200, 503, 0}
        answer = httpx.post(f"{service.url}/verify", files={"image_a": obama, "image_b": obama2}, timeout=60)
        assert answer.status_code == 200
        assert service.stop() == 0


def cluster(url: str, model: str) -> httpx.Response:
    vectors = np.random.default_rng(0).normal(size=(FACES, 128))
    embeddings = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).tolist()
    return httpx.post(f"{url}/cluster?threshold=1", json={"embeddings": embeddings, "model": model}, timeout=60)


def children(pid: int) -> list[int]:
    return [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()]


def wait_until_gone(pid: int) -> None:
    deadline_s = time.monotonic() + STOP_TIMEOUT_S
    while Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_no_process_stays_behind_when_the_service_ends(models_dir: Path, tmp_path: Path, end: str) -> None:
    with run_service(tmp_path / "data", models_dir) as service:
        model = httpx.get(f"{service.url}/model").json()["id"]
        assert cluster(service.url, model).status_code == 200
        started = children(service.process.pid)
        assert started
        getattr(service, end)()
        for pid in started:
            wait_until_gone(pid)


def test_a_clustering_process_that_is_killed_is_replaced(models_dir: Path, tmp_path: Path) -> None:
    with run_service(tmp_path / "data", models_dir) as service:
        model = httpx.get(f"{service.url}/model").json()["id"]
        assert cluster(service.url, model).status_code == 200
        for pid in children(service.process.pid):
            subprocess.run(["kill", "-9", str(pid)], check=True)  # noqa: S607  # as the system does without memory
        statuses = [cluster(service.url, model).status_code for _ in range(3)]
        assert set(statuses) <= {200, 503}
        assert statuses[-1] == 200
