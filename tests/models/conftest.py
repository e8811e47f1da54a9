"""The files that conversions start from, and crops of real faces to feed to both sides."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.pull import PACKAGES
from models.zoo import read_zoo
from service.card import EmbedderCard
from service.domain import Crops
from service.model_file import open_model
from service.pipeline import ModelSource, PipelineOptions, main_face, open_sight

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def original() -> Callable[[str], bytes]:
    """The file as its maker published it, which `facenet-models pull` keeps."""

    def read(name: str) -> bytes:
        source = read_zoo().entry(name).source
        assert source is not None
        file = ROOT / PACKAGES / Path(source.member).name
        if not file.is_file():
            pytest.fail(f"{file} is missing. Run: facenet-models pull {name} --force")
        return file.read_bytes()

    return read


@pytest.fixture(scope="session")
def crops(models_dir: Path, photographs: Path) -> Callable[[str], Crops]:
    """The main face of three photographs, cut as a model of the zoo wants it."""
    files = [photographs / name for name in ("obama/obama.jpg", "biden/biden.jpg", "eileen_collins/astronaut.png")]

    def cut(name: str) -> Crops:
        options = PipelineOptions(
            detector=ModelSource(models_dir / "yunet.onnx"),
            landmarks=ModelSource(models_dir / "onet.onnx"),
            embedder=ModelSource(models_dir / f"{name}.onnx"),
        )
        sight = open_sight(options, open_model(options.embedder.path, EmbedderCard, "cpu", 1).card)
        return np.concatenate([sight.look(file.read_bytes(), main_face).crops for file in files])

    return cut
