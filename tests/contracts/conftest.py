"""A gallery with each index."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.gallery.indexes import INDEXES
from tests.support.blocking_gallery import BlockingGallery


@pytest.fixture(params=INDEXES)
def index_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def gallery(tmp_path: Path, index_name: str) -> Iterator[BlockingGallery]:
    gallery = BlockingGallery.open(tmp_path / "data", index_name)
    yield gallery
    gallery.check()
    gallery.close()
