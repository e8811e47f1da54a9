"""A gallery with each database and each index, plain and encrypted."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from service.access.secret_file import write_encryption_key
from service.gallery.indexes import INDEXES, MILVUS, PGVECTOR
from service.gallery.search.milvus.address import MilvusAddress
from tests.support.blocking_gallery import BlockingGallery
from tests.support.postgres_server import PostgresServer

OpenGallery = Callable[[], BlockingGallery]
SERVERS = [("postgresql", PGVECTOR, "plain"), ("sqlite", MILVUS, "plain"), ("postgresql", MILVUS, "plain")]
"""A server searches the vectors. MILVUS is Milvus Lite here."""
KINDS = [
    *product(["sqlite"], INDEXES, ["plain", "encrypted"]),
    *product(["postgresql"], ["exact", "faiss"], ["plain", "encrypted"]),
    *SERVERS,
    pytest.param(("sqlite", MILVUS, "server"), marks=pytest.mark.milvus),
    pytest.param(("postgresql", MILVUS, "server"), marks=pytest.mark.milvus),
]
"""With `milvus`: Milvus Lite, or a server."""
with_each_database = pytest.mark.parametrize(
    "open_again", [*product(["sqlite", "postgresql"], ["faiss"], ["plain", "encrypted"])], ids="-".join, indirect=True
)
"""For what the records alone decide. The other indexes would only take time."""


with_servers = pytest.mark.parametrize("open_again", SERVERS, ids="-".join, indirect=True)


@pytest.fixture(params=INDEXES)
def index_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=KINDS, ids="-".join)
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> OpenGallery:
    """Return what opens the same gallery again and again."""
    database, index, kind = request.param
    key_file = url = None
    if kind == "encrypted":
        key_file = tmp_path / "key"
        write_encryption_key(key_file)
    if database == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create_database()
    milvus = None
    if index == MILVUS:
        pytest.importorskip("pymilvus")
        lite = MilvusAddress(str(tmp_path / "lite.db"))
        milvus = request.getfixturevalue("milvus_address") if kind == "server" else lite
    return partial(BlockingGallery.open, tmp_path / "data", index, key_file, url, milvus)


@pytest.fixture
def gallery(open_again: OpenGallery) -> Iterator[BlockingGallery]:
    gallery = open_again()
    yield gallery
    gallery.check()
    gallery.close()
