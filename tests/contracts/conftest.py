"""A gallery with each index, plain and encrypted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.access.secret_file import write_encryption_key
from service.gallery.indexes import INDEXES
from tests.support.blocking_gallery import BlockingGallery


@pytest.fixture(params=INDEXES)
def index_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["plain", "encrypted"])
def key_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    if request.param == "plain":
        return None
    write_encryption_key(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def gallery(tmp_path: Path, index_name: str, key_file: Path | None) -> Iterator[BlockingGallery]:
    gallery = BlockingGallery.open(tmp_path / "data", index_name, key_file)
    yield gallery
    gallery.check()
    gallery.close()
