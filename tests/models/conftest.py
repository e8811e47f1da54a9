"""Published files, and crops of real faces. Tests give the crops to the published and to the converted network."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.conversion.pull import PACKAGES
from models.zoo.catalogue import read_zoo
from service.domain.face import Crops
from service.model_files.card import EmbedderCard
from service.model_files.catalogue import ModelSource
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.opening import PipelineOptions, open_face_extractor
from service.pipeline.selection import main_face

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def original() -> Callable[[str], bytes]:
    """Return a function that reads the published file of a model, by name. `facenet-models pull` keeps these files."""

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
    """Return a function that cuts the main faces of three photographs as crops for a model, by name."""
    files = [photographs / file for file in ("obama/obama.jpg", "biden/biden.jpg", "eileen_collins/astronaut.png")]

    def cut(name: str) -> Crops:
        options = PipelineOptions(
            detector=ModelSource(models_dir / "yunet.onnx"),
            landmarks=ModelSource(models_dir / "onet.onnx"),
            embedder=ModelSource(models_dir / f"{name}.onnx"),
        )
        extractor = open_face_extractor(options, open_model(options.embedder.path, EmbedderCard, Execution()).card)
        return np.concatenate([extractor.extract(file.read_bytes(), main_face).crops for file in files])

    return cut
