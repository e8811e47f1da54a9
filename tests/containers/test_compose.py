"""docker-compose.yml in a container engine: the service alone, and the service with the model of the training job."""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from service.access.secret_file import write_admin_key
from tests.conftest import ROOT
from tests.containers.engine import COMPOSE, TIMEOUT_S, Container

SCRAPE_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Project:
    """The compose project, with its own name and ports. settings: variables of the environment."""

    name: str
    settings: dict[str, str]

    def compose(self, *arguments: str, **settings: str) -> str:
        """Run a command of compose, and return what it prints."""
        command = [str(COMPOSE), "--project-name", self.name, *arguments]
        environment = {**os.environ, **self.settings, **settings}
        result = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    def up(self, **settings: str) -> Container:
        """Start the service, wait until it is ready, and return its container."""
        self.compose("up", "--detach", "--no-build", "face", **settings)
        service = Container(self.compose("ps", "--quiet", "face").strip())
        service.wait_until_ready()
        return service


@pytest.fixture
def project(cpu_image: str, photographs: Path) -> Iterator[Project]:
    assert cpu_image
    project = Project("facenet-test", {"PORT": "0", "PHOTOGRAPHS": str(photographs)})
    try:
        yield project
    finally:
        project.compose("--profile", "train", "--profile", "monitoring", "down", "--volumes", "--timeout", "5")


def test_enrolled_faces_exist_after_down_and_up(project: Project, obama: bytes, obama2: bytes) -> None:
    subject = "collections/default/subjects/obama"
    url = project.up().url()
    httpx.put(f"{url}/{subject}", json={}).raise_for_status()
    httpx.post(f"{url}/{subject}/faces", files={"images": obama}).raise_for_status()
    project.compose("down")
    url = project.up().url()
    answer = httpx.post(f"{url}/identify", files={"image": obama2}).json()
    assert answer["faces"][0]["subject"] == "obama"


def test_with_the_override_for_keys_a_request_without_a_key_is_refused(project: Project, tmp_path: Path) -> None:
    write_admin_key(key_file := tmp_path / "admin_key")
    key_file.chmod(0o444)  # the user of the container reads it
    settings = {"PUBLISH": "127.0.0.1:0", "ADMIN_KEY_FILE": str(key_file)}
    service = project.up(COMPOSE_FILE="docker-compose.yml:docker/compose.keys.yml", **settings)
    key = key_file.read_text("ascii").strip()
    assert httpx.get(f"{service.url()}/model").status_code == HTTPStatus.UNAUTHORIZED
    assert httpx.get(f"{service.url()}/model", headers={"x-api-key": key}).status_code == HTTPStatus.OK


@pytest.mark.skipif("PROMETHEUS_IMAGE" not in os.environ, reason="PROMETHEUS_IMAGE is not set")
def test_prometheus_scrapes_the_service(project: Project) -> None:
    project.compose("--profile", "monitoring", "up", "--detach", "--no-build", "face", "prometheus")
    url = f"http://{project.compose('--profile', 'monitoring', 'port', 'prometheus', '9090').strip()}"
    deadline_s = time.monotonic() + SCRAPE_TIMEOUT_S
    while not is_scraped(url):
        assert time.monotonic() < deadline_s, project.compose("--profile", "monitoring", "logs", "prometheus")


def is_scraped(prometheus: str) -> bool:
    try:
        answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": 'up{job="face"} == 1'})
    except httpx.TransportError:
        return False
    return answer.status_code == HTTPStatus.OK and bool(answer.json()["data"]["result"])


def test_the_model_of_the_training_job_is_served(
    project: Project, training_image: str, obama: bytes, obama2: bytes
) -> None:
    assert training_image
    project.compose("--profile", "train", "run", "--rm", "export")
    service = project.up(FACE_MODELS__EMBEDDER="/models/smoke.onnx")
    assert httpx.get(f"{service.url()}/model").json()["name"] == "smoke"
    answer = httpx.post(f"{service.url()}/verify", files={"image_a": obama, "image_b": obama2}).json()
    assert answer["verified"] is True
