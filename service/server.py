"""Uvicorn around the application: one process, one event loop, and an end that closes what was opened."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.app import open_app
from service.errors import PortInUse
from service.settings import Settings

_log = structlog.stdlib.get_logger("service.server")
BACKLOG = 2048
HEAD_BYTES = 2**18
"""Of a request's line, its headers, and what goes between the chunks of its body."""


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what it holds. Raises StartupError."""
    with _listen(settings.host, settings.port) as listener:
        async with open_app(settings) as app:
            config = uvicorn.Config(
                app,
                http=_Protocol,
                log_config=None,
                access_log=False,
                backlog=BACKLOG,
                lifespan="off",
                server_header=False,
                date_header=True,
            )
            host, port = listener.getsockname()[:2]
            _log.info("ready", url=f"http://{host}:{port}", docs=f"http://{host}:{port}/docs")
            await _Server(config).serve(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """Before anything slow is opened, so that a port in use is told at once; who connects now waits for the answer."""
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortInUse(f"{host}:{port} cannot be used ({error.strerror}). Choose another with FACE_PORT.") from None
    return listener


class _Protocol(HttpToolsProtocol):
    """Uvicorn's, which by itself takes headers of any number and size before the application sees a request."""

    _head_bytes = 0

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self.send_400_response("The request has too many headers, or too long ones.")

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._head_bytes -= len(body)


class _Server(uvicorn.Server):
    """Uvicorn raises the signal again once it has stopped, which would end the process before the gallery is closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
