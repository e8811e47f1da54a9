"""A gallery of the plainest index, in a directory of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.galleries.gallery import Gallery


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def gallery(data_dir: Path) -> Iterator[Gallery]:
    opened = Gallery.open(data_dir, "exact")
    yield opened
    opened.close()
