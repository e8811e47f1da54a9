import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.release.candidate import open_candidate_bytes, open_candidate_file
from service.domain.command_errors import ModelFileError
from service.domain.face import Crops


def test_bytes_give_the_embeddings_of_their_file(models_dir: Path, crops: Callable[[str], Crops]) -> None:
    file, faces = models_dir / "sface.onnx", crops("sface")

    candidate = open_candidate_bytes(file.read_bytes())

    assert candidate.card == open_candidate_file(file).card
    np.testing.assert_array_equal(candidate.embed(faces), open_candidate_file(file).embed(faces))


def test_nothing_stays_on_the_disk(models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    open_candidate_bytes((models_dir / "sface.onnx").read_bytes())

    assert not list(tmp_path.iterdir())


def test_only_embedders_are_opened(models_dir: Path) -> None:
    with pytest.raises(ModelFileError, match="is of the role detector"):
        open_candidate_bytes((models_dir / "yunet.onnx").read_bytes())
