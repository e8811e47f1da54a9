"""A real Milvus server, from an environment of Python that has the package `milvus`. It keeps its files in a folder.

The variable MILVUS_SERVER is the folder of the environment (CONTRIBUTING.md, "A real Milvus server").
"""

import logging
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.gallery.search.milvus.address import MilvusAddress
from service.gallery.search.milvus.server import MOST_ROWS
from service.gallery.search.milvus.stored_rows import NUMBER

if TYPE_CHECKING:
    from pymilvus import MilvusClient

START_S = 180.0
"""After it was killed, a start waits for the session of the former one (`common.session.ttl`, 30 s)."""
TOKEN = "root:Milvus"  # noqa: S105  # everybody knows it
"""Of a new server."""


class MilvusServerProcess:
    """A server that was started, and asks for a password. address: where it is."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._data = folder / "data"
        self._port, self._internal_port, self._metrics_port = free_port(), free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.address = MilvusAddress(f"http://127.0.0.1:{self._port}", TOKEN)

    def settings(self) -> dict[str, str]:
        """Return the settings of a service that searches with this server."""
        token_file = self._folder / "token"
        token_file.write_text(TOKEN, "ascii")
        return {
            "FACE_GALLERY__INDEX": "milvus",
            "FACE_GALLERY__MILVUS_URI": self.address.uri,
            "FACE_GALLERY__MILVUS_TOKEN_FILE": str(token_file),
        }

    def start(self) -> None:
        """Start the server, and wait until all that it stores can be searched."""
        settings = {
            "COMMON_SECURITY_AUTHORIZATIONENABLED": "true",
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(self._metrics_port),
            "LD_LIBRARY_PATH": str(self._data / "bin"),
        }
        self._data.mkdir(exist_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                env=os.environ | settings,
                stdout=log,
                stderr=log,
                cwd=self._data,
                start_new_session=True,  # the program starts another one, and both are to be stopped
            )
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s:
            if self._answers():
                return
            time.sleep(0.5)
        raise AssertionError((self._folder / "log").read_text()[-2000:])

    def _command(self) -> list[str]:
        """Return the program that writes the files of a server and starts it, or the server if it has its files.

        The program takes other ports while the connections to the former server end.
        """
        server = self._data / "bin" / "milvus"
        if server.exists():
            return [str(server), "run", "standalone"]
        ports = ["--proxy-port", str(self._port), "--proxy-internal-port", str(self._internal_port)]
        return [str(self._program), "--data", str(self._data), *ports]

    def kill(self) -> None:
        """End the server at once. It has written all that it acknowledged."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(60)

    def drop_collections(self) -> None:
        """Lose all that is stored."""
        with closing(self._connect()) as client:
            for name in client.list_collections():
                client.drop_collection(name, timeout=60)

    def face_numbers(self) -> set[int]:
        """Return the numbers of all faces of all galleries, at most MOST_ROWS of each.

        Raises MilvusException or RpcError.
        """
        read: dict[str, Any] = {"limit": MOST_ROWS, "consistency_level": "Strong", "timeout": 10}
        with closing(self._connect()) as client:
            names = client.list_collections(timeout=10)
            rows = [client.query(name, f"{NUMBER} >= 0", output_fields=[NUMBER], **read) for name in names]
        return {row[NUMBER] for of_collection in rows for row in of_collection}

    def pause(self) -> None:
        """Let the server do nothing more. Its port stays open."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let the server work again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _answers(self) -> bool:
        from grpc import RpcError  # noqa: PLC0415  # it is not installed everywhere
        from pymilvus.exceptions import MilvusException  # noqa: PLC0415

        with suppress(MilvusException, RpcError):
            self.face_numbers()
            return True
        return False

    def _connect(self) -> "MilvusClient":
        from pymilvus import MilvusClient  # noqa: PLC0415  # it is not installed everywhere

        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # a server that starts refuses some calls
        return MilvusClient(self.address.uri, token=self.address.token, timeout=10, dedicated=True)


def milvus_program() -> Path | None:
    """Return the program of the server, if there is one."""
    folder = os.environ.get("MILVUS_SERVER")
    return Path(folder) / "bin" / "milvus-server" if folder else None


@contextmanager
def running_milvus() -> Iterator[MilvusServerProcess]:
    """Start a server, and remove it at the end. Raises ValueError if there is no program."""
    program = milvus_program()
    if program is None:
        raise ValueError("MILVUS_SERVER must name the environment of a Milvus server (CONTRIBUTING.md)")
    with tempfile.TemporaryDirectory(prefix="milvus", dir="/tmp", ignore_cleanup_errors=True) as folder:
        server = MilvusServerProcess(program, Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])
