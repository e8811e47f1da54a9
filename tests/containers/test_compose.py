"""docker-compose.yml, really up: the service alone, and the training job whose model it then serves."""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT
from tests.containers.engine import COMPOSE, PATIENCE_S, Container

SEEN_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class Project:
    """The project under a name and ports of its own. settings: of the environment."""

    name: str
    settings: dict[str, str]

    def compose(self, *arguments: str, **settings: str) -> str:
        """What it prints."""
        command = [str(COMPOSE), "--project-name", self.name, *arguments]
        environment = {**os.environ, **self.settings, **settings}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def up(self, **settings: str) -> Container:
        """The service, ready."""
        self.compose("up", "--detach", "--no-build", "face", **settings)
        service = Container(self.compose("ps", "--quiet", "face").strip())
        service.wait_until_ready()
        return service


@pytest.fixture
def project(cpu: str, photographs: Path) -> Iterator[Project]:
    assert cpu
    found = Project("facenet-test", {"PUBLISH": "127.0.0.1:0", "PHOTOGRAPHS": str(photographs)})
    try:
        yield found
    finally:
        found.compose("--profile", "train", "--profile", "monitoring", "down", "--volumes", "--timeout", "5")


def test_up_serves_and_keeps_what_was_enrolled(project: Project, obama: bytes, obama2: bytes) -> None:
    subject = "collections/default/subjects/obama"
    url = project.up().url()
    httpx.put(f"{url}/{subject}", json={}).raise_for_status()
    httpx.post(f"{url}/{subject}/faces", files={"images": obama}).raise_for_status()
    project.compose("down")
    url = project.up().url()
    answer = httpx.post(f"{url}/identify", files={"image": obama2}).json()
    assert answer["faces"][0]["subject"] == "obama"


@pytest.mark.skipif("PROMETHEUS_IMAGE" not in os.environ, reason="PROMETHEUS_IMAGE names no image that is at hand")
def test_prometheus_sees_the_service(project: Project) -> None:
    project.compose("--profile", "monitoring", "up", "--detach", "--no-build", "face", "prometheus")
    url = f"http://{project.compose('--profile', 'monitoring', 'port', 'prometheus', '9090').strip()}"
    until = time.monotonic() + SEEN_WITHIN_S
    while not up(url):
        assert time.monotonic() < until, project.compose("--profile", "monitoring", "logs", "prometheus")


def up(prometheus: str) -> bool:
    try:
        answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": 'up{job="face"} == 1'})
    except httpx.TransportError:
        return False
    return answer.status_code == HTTPStatus.OK and bool(answer.json()["data"]["result"])


def test_what_the_training_job_made_is_served(project: Project, training: str, obama: bytes, obama2: bytes) -> None:
    assert training
    project.compose("--profile", "train", "run", "--rm", "export")
    service = project.up(FACE_MODELS__EMBEDDER="/models/smoke.onnx")
    assert httpx.get(f"{service.url()}/model").json()["name"] == "smoke"
    answer = httpx.post(f"{service.url()}/verify", files={"image_a": obama, "image_b": obama2}).json()
    assert answer["verified"] is True
