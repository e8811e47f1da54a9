"""The settings of an installation for `facenet doctor`."""

from pathlib import Path

import pytest

FREE_PORT = "9"
"""Nothing listens on the port for `discard`."""


@pytest.fixture
def data_dir(tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set the settings of an installation that is in order. Return its data directory, which does not exist yet."""
    monkeypatch.setenv("FACE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FACE_MODELS__DIR", str(models_dir))
    monkeypatch.setenv("FACE_PORT", FREE_PORT)
    monkeypatch.delenv("FACENET_URL", raising=False)
    return tmp_path / "data"
