"""Milvus Lite as a server in threads of this process, that can be stopped and started again."""

from contextlib import closing
from pathlib import Path
from typing import Any

from tests.support.milvus_server import free_port


class MilvusLite:
    """A server that was started. uri: where it is, also after another start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._started: Any = None
        self.start()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def client(self) -> Any:
        """Return a client of the server. Close it at the end."""
        from pymilvus import MilvusClient  # noqa: PLC0415  # not installed everywhere

        return MilvusClient(self.uri, timeout=10)

    def drop_collections(self) -> None:
        """Lose all that is stored."""
        with closing(self.client()) as client:
            for name in client.list_collections():
                client.drop_collection(name)

    def start(self) -> None:
        """Start the server with what it has stored."""
        from milvus_lite.adapter.grpc.server import start_server_in_thread  # noqa: PLC0415  # not installed everywhere

        self._started = start_server_in_thread(data_dir=str(self._folder), host="127.0.0.1", port=self._port)

    def stop(self) -> None:
        """Stop the server."""
        server, database, _ = self._started
        with closing(database):
            server.stop(grace=0).wait()
