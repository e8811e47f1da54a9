"""docker/compose.scale.yml in a container engine: two replicas are replaced under load, and no request is lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.containers.conftest import require_image
from tests.containers.test_compose import Project
from tests.deployment.test_compose_scale import REPLICAS, SCALE
from tests.deployment.test_images import compose_services
from tests.support.replicas import Clients

ANSWERS_BETWEEN = 100


@contextmanager
def running_project(keys: Path, *overrides: str) -> Iterator[Project]:
    """Start the replicas, with the secrets of a folder. Stop them at the end, and remove what they stored."""
    for container in compose_services("", SCALE, *overrides).values():
        require_image(container["image"])
    files = ":".join(["docker-compose.yml", SCALE, *overrides])
    project = Project("facenet-scale-test", {"COMPOSE_FILE": files, "PUBLISH": "127.0.0.1:0", "KEYS": str(keys)})
    try:
        project.compose("up", "--detach", "--no-build", "--wait")
        yield project
    finally:
        project.compose("down", "--volumes", "--timeout", "5")


@pytest.fixture
def project(keys: Path) -> Iterator[Project]:
    with running_project(keys) as project:
        yield project


def test_no_request_is_lost_while_the_replicas_are_replaced(project: Project, keys: Path, obama: bytes) -> None:
    url = f"http://{project.compose('port', 'proxy', '8000').strip()}"
    key = (keys / "admin_key").read_text("ascii").strip()
    model = httpx.get(f"{url}/model", headers={"x-api-key": key}).json()["id"]
    clients = Clients(url, key, model, obama)
    with clients.working():
        for replica in REPLICAS:
            clients.wait_for_answers(ANSWERS_BETWEEN)
            project.compose("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "--wait", replica)
            clients.wait_for_answers(ANSWERS_BETWEEN)
    assert clients.lost == []
    assert clients.not_found == []


def test_keys_backups_and_metrics_cannot_be_called_through_the_proxy(project: Project, keys: Path) -> None:
    url = f"http://{project.compose('port', 'proxy', '8000').strip()}"
    key = (keys / "admin_key").read_text("ascii").strip()
    for path in ("keys", "backup", "metrics"):
        assert httpx.get(f"{url}/{path}", headers={"x-api-key": key}).status_code == 404, path
