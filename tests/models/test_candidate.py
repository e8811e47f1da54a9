import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.candidate import open_candidate, open_embedder
from service.domain import Crops
from service.errors import ModelFileError


def test_bytes_embed_as_the_file_that_they_will_be(models_dir: Path, crops: Callable[[str], Crops]) -> None:
    file, faces = models_dir / "sface.onnx", crops("sface")

    candidate = open_candidate(file.read_bytes())

    assert candidate.card == open_embedder(file).card
    np.testing.assert_array_equal(candidate.embed(faces), open_embedder(file).embed(faces))


def test_nothing_stays_on_the_disk(models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    open_candidate((models_dir / "sface.onnx").read_bytes())

    assert not list(tmp_path.iterdir())


def test_other_models_than_embedders_are_refused(models_dir: Path) -> None:
    with pytest.raises(ModelFileError, match="is of the role detector"):
        open_candidate((models_dir / "yunet.onnx").read_bytes())
