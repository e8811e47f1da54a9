"""The images to test. Tests are skipped if no container engine runs, or if `make images` has not built the image."""

import secrets
import subprocess
from pathlib import Path

import pytest

from service.access.secret_file import write_admin_key
from tests.containers.engine import DOCKER, docker

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.containers)


def require_image(name: str) -> str:
    try:
        docker("image", "inspect", name)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"{DOCKER} has no image {name}; where a container engine runs, use: make images test-containers")
    return name


@pytest.fixture(scope="session")
def cpu_image() -> str:
    return require_image("facenet-service:cpu")


@pytest.fixture(scope="session")
def gpu_image() -> str:
    return require_image("facenet-service:gpu")


@pytest.fixture(scope="session")
def training_image() -> str:
    return require_image("facenet-training:cpu")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Return a folder with the secrets that docs/replicas.md makes, but for those of Milvus."""
    for name in ("key_secret", "audit_secret", "database_password"):
        (tmp_path / name).write_text(f"{secrets.token_hex(32)}\n", "ascii")
    password = (tmp_path / "database_password").read_text("ascii")
    (tmp_path / "pg_service.conf").write_text(f"[facenet]\npassword={password}", "ascii")
    write_admin_key(tmp_path / "admin_key")
    for file in tmp_path.iterdir():
        file.chmod(0o444)  # the users of the containers read it
    return tmp_path
