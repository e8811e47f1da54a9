"""What every test may ask for: real models, real photographs, Labelled Faces in the Wild where it is at hand."""

from pathlib import Path

import pytest

from service.pipeline import ModelSource, PipelineOptions

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
LFW = SHARED / "lfw"
GROUPS = SHARED / "photos" / "groups"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--contract-examples", default="20", help="how many requests schemathesis makes up an operation")
    parser.addoption("--kill-rounds", default="2", help="how often the service is killed while faces are enrolled")


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The converted models; `make models` pulls them."""
    folder = ROOT / "var" / "models"
    if not (folder / "sface.onnx").exists():
        pytest.fail("var/models is empty. Run: make models")
    return folder


@pytest.fixture(scope="session")
def photographs() -> Path:
    """A folder of identities (obama/, biden/, astronaut/, ...) with real photographs; `make photographs` pulls them."""
    folder = ROOT / "var" / "photographs"
    if not folder.exists():
        pytest.fail("var/photographs is missing. Run: make photographs")
    return folder


@pytest.fixture(scope="session")
def lfw() -> Path:
    """Labelled Faces in the Wild: `images/NAME/NAME_0001.jpg` and `pairs.txt`."""
    if not LFW.exists():
        pytest.skip("../shared/lfw is not there")
    return LFW


@pytest.fixture(scope="session")
def groups() -> Path:
    """A folder of photographs with several faces each, and one of dogs."""
    if not GROUPS.exists():
        pytest.skip("../shared/photos/groups is not there")
    return GROUPS


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def options(models_dir: Path) -> PipelineOptions:
    """The default models, as `make run` serves them."""
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
