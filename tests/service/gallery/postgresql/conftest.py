"""Replicas of a gallery over one database, and servers that a test may stop."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from service.gallery.records.postgresql.database import PostgresDatabase
from service.gallery.records.shared_settings import SharedSettings
from tests.support.blocking_gallery import BlockingGallery
from tests.support.postgres_server import PostgresServer, running_postgres


class Replica(BlockingGallery):
    """A gallery in the thread of the caller, and what each request does first: it learns of changed settings."""

    @property
    def database(self) -> PostgresDatabase:
        assert isinstance(self.gallery.database, PostgresDatabase)
        return self.gallery.database

    def begin_request(self) -> "Replica":
        """Read the settings again if another replica has changed them."""
        if not hasattr(self, "_settings"):
            self._settings = SharedSettings(self.gallery.database, [self.gallery.read_settings])
        self._settings._catch_up()  # noqa: SLF001  # without an event loop
        return self


OpenReplica = Callable[..., Replica]


@pytest.fixture(params=["faiss", "pgvector"])
def index(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    """Return the URL of an empty database."""
    return postgres.create_database()


@pytest.fixture
def open_replica(tmp_path: Path, url: str, index: str) -> Iterator[OpenReplica]:
    """Return what opens one more replica. It has a data directory of its own."""
    numbers = count(1)
    with ExitStack() as opened:

        def open_one(index: str = index, url: str = url, key_file: Path | None = None) -> Replica:
            replica = Replica.open(tmp_path / f"data_{next(numbers)}", index, key_file, url)
            opened.callback(replica.close)
            return replica

        yield open_one


@pytest.fixture
def pair(open_replica: OpenReplica) -> tuple[Replica, Replica]:
    """Return two replicas."""
    return open_replica(), open_replica()


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """Start a server that the test may stop. It runs again at the end."""
    with running_postgres() as server:
        yield server
