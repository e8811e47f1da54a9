"""Two key files, and a gallery that is encrypted with the first."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.access.secret_file import write_encryption_key
from tests.support.blocking_gallery import BlockingGallery


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    write_encryption_key(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def other_key_file(tmp_path: Path) -> Path:
    write_encryption_key(tmp_path / "other-key")
    return tmp_path / "other-key"


@pytest.fixture
def encrypted_gallery(data_dir: Path, key_file: Path) -> Iterator[BlockingGallery]:
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    yield gallery
    gallery.close()
