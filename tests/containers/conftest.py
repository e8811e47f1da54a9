"""Tests of the images, where an engine answers and `make images` was run; elsewhere they skip by name."""

import subprocess
from pathlib import Path

import pytest

from tests.containers.engine import DOCKER, docker

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.containers)


def image(name: str) -> str:
    try:
        docker("image", "inspect", name)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"{DOCKER} answers with no image {name}: make images test-containers, where an engine runs")
    return name


@pytest.fixture(scope="session")
def cpu() -> str:
    return image("facenet-service:cpu")


@pytest.fixture(scope="session")
def gpu() -> str:
    return image("facenet-service:gpu")


@pytest.fixture(scope="session")
def training() -> str:
    return image("facenet-training:cpu")
