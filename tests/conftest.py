"""Fixtures of all tests: real models, real photographs, and Labelled Faces in the Wild if it is available."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.gallery.search.milvus.address import MilvusAddress
from service.model_files.catalogue import ModelSource
from service.pipeline.opening import PipelineOptions
from tests.support.milvus_server import MilvusServerProcess, milvus_program, running_milvus
from tests.support.postgres_server import PostgresServer, running_postgres

ROOT = Path(__file__).parent.parent
LFW = Path(os.environ.get("LFW", "../shared/lfw"))
"""The folder of Labelled Faces in the Wild, relative to the project. CONTRIBUTING.md describes how to get it."""
GROUPS = Path(os.environ.get("GROUPS", "../shared/photos/groups"))
"""The folder of photographs of several people, relative to the project."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--contract-examples", default="20", help="how many requests schemathesis makes for an operation")
    parser.addoption("--kill-rounds", default="2", help="how often the service is killed while faces are enrolled")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the fast tests first, so that most mistakes show within two minutes."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Return the folder of the converted models. `make models` fills it."""
    folder = ROOT / "var" / "models"
    if not (folder / "sface.onnx").exists():
        pytest.fail("var/models is empty. Run: make models")
    return folder


@pytest.fixture(scope="session")
def photographs() -> Path:
    """Return a folder of people (obama/, biden/, eileen_collins/) with photographs. `make photographs` fills it."""
    folder = ROOT / "var" / "photographs"
    if not folder.exists():
        pytest.fail("var/photographs is missing. Run: make photographs")
    return folder


@pytest.fixture(scope="session")
def lfw() -> Path:
    """Return the folder of Labelled Faces in the Wild: `images/NAME/NAME_0001.jpg` and `pairs.txt`."""
    folder = ROOT / LFW
    if not folder.exists():
        pytest.skip(f"{LFW} does not exist (Labelled Faces in the Wild)")
    return folder


@pytest.fixture(scope="session")
def groups() -> Path:
    """Return a folder of photographs with several faces each, and one photograph of dogs."""
    folder = ROOT / GROUPS
    if not folder.exists():
        pytest.skip(f"{GROUPS} does not exist (photographs of several people)")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Start a real PostgreSQL server with pgvector."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def milvus_server() -> Iterator[MilvusServerProcess]:
    """Start a real Milvus server."""
    if milvus_program() is None:
        pytest.skip("MILVUS_SERVER does not name the environment of a Milvus server")
    with running_milvus() as server:
        yield server


@pytest.fixture
def milvus_address(milvus_server: MilvusServerProcess) -> Iterator[MilvusAddress]:
    """Return the address of a real Milvus server, which is empty again afterwards."""
    yield milvus_server.address
    milvus_server.drop_collections()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def options(models_dir: Path) -> PipelineOptions:
    """Return the options of the default models, which `make run` also uses."""
    return PipelineOptions(
        detector=ModelSource(models_dir / "yunet.onnx"),
        landmarks=ModelSource(models_dir / "onet.onnx"),
        embedder=ModelSource(models_dir / "sface.onnx"),
        threads=2,
    )


@pytest.fixture(scope="session")
def obama(photographs: Path) -> bytes:
    return (photographs / "obama" / "obama.jpg").read_bytes()


@pytest.fixture(scope="session")
def obama2(photographs: Path) -> bytes:
    return (photographs / "obama" / "obama2.jpg").read_bytes()


@pytest.fixture(scope="session")
def biden(photographs: Path) -> bytes:
    return (photographs / "biden" / "biden.jpg").read_bytes()
