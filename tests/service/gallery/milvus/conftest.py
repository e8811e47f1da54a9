"""A gallery whose faces are searched by Milvus Lite, in threads of this process."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from service.gallery.search.milvus.address import MilvusAddress
from tests.support.blocking_gallery import BlockingGallery
from tests.support.milvus_lite import MilvusLite

OpenGallery = Callable[[], BlockingGallery]


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[MilvusLite]:
    pytest.importorskip("pymilvus")
    pytest.importorskip("milvus_lite")
    server = MilvusLite(tmp_path / "lite")
    yield server
    server.stop()


@pytest.fixture
def open_again(tmp_path: Path, lite: MilvusLite) -> OpenGallery:
    """Return what opens the same gallery again and again."""
    return partial(BlockingGallery.open, tmp_path / "data", "milvus", milvus=MilvusAddress(lite.uri))


@pytest.fixture
def gallery(open_again: OpenGallery) -> Iterator[BlockingGallery]:
    gallery = open_again()
    yield gallery
    gallery.close()
