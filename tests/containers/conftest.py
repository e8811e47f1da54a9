"""The images to test. Tests are skipped if no container engine runs, or if `make images` has not built the image."""

import subprocess
from pathlib import Path

import pytest

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
