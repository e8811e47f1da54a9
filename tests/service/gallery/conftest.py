"""A gallery with the exact index, in a new directory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.blocking_gallery import BlockingGallery


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def gallery(data_dir: Path) -> Iterator[BlockingGallery]:
    gallery = BlockingGallery.open(data_dir, "exact")
    yield gallery
    gallery.close()
