"""Run the application in Uvicorn: one process, one event loop, and an orderly end."""

import asyncio
import errno
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from math import ceil
from typing import cast

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.domain.errors import PortInUse

_log = structlog.stdlib.get_logger("service.server")
BACKLOG = 2048
MAX_HEAD_BYTES = 2**18
"""The limit for the request line, all headers and the text between the chunks of a body, together."""

OpenApp = Callable[[], AbstractAsyncContextManager[FastAPI]]


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where and how the server listens.

    drain_delay_s: how long the service accepts requests after SIGTERM, while it is no longer ready.
    request_timeout_s: how long running requests may still take at the end.
    keep_alive_s: how long an idle connection stays open, and how long the head of a request may take.
    trusted_proxies: addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are used.
    """

    host: str
    port: int
    drain_delay_s: float
    request_timeout_s: float
    keep_alive_s: int
    trusted_proxies: Sequence[str]


async def run_server(options: ServerOptions, open_app: OpenApp) -> None:
    """Serve until SIGTERM or SIGINT, then finish the running requests. Raises StartupError.

    An orchestrator ends a service with SIGTERM. Some requests are then still on their way to it. So after SIGTERM the
    service first reports that it is not ready, and accepts requests for `drain_delay_s`. A second SIGTERM, or SIGINT,
    skips the delay.
    """
    # The port is opened before anything slow, so that a port in use is reported at once. A client that connects during
    # the start waits for its answer.
    with _listen(options.host, options.port) as listener, _cancelled_by_signal():
        async with open_app() as app:
            config = uvicorn_config(app, options)
            url = _url(listener)
            _log.info("ready", url=url, docs=f"{url}/docs")
            server = _Server(config, app.state.services.shutting_down, options.drain_delay_s)
            await server.serve(sockets=[listener])
    _log.info("ended")


def uvicorn_config(app: ASGIApp, options: ServerOptions) -> uvicorn.Config:
    """Return the configuration of Uvicorn. Without trusted proxies, no forwarded header is used."""
    return uvicorn.Config(
        app,
        http=_Protocol,
        log_config=None,
        access_log=False,
        backlog=BACKLOG,
        lifespan="off",
        server_header=False,
        date_header=True,
        timeout_keep_alive=options.keep_alive_s,
        timeout_graceful_shutdown=ceil(options.request_timeout_s),
        proxy_headers=bool(options.trusted_proxies),
        forwarded_allow_ips=list(options.trusted_proxies),
    )


@contextmanager
def _cancelled_by_signal() -> Iterator[None]:
    """Let a signal end the start. Later, the server handles signals itself. Other cancellations are raised."""
    start = cast("asyncio.Task[None]", asyncio.current_task())
    signalled = asyncio.Event()

    def end() -> None:
        signalled.set()
        start.cancel()

    _handle_signals(end, end)
    try:
        yield
    except asyncio.CancelledError:
        if not signalled.is_set():
            raise


def _handle_signals(on_sigterm: Callable[[], object], on_sigint: Callable[[], object]) -> None:
    """Set the signal handlers. Process 1 of a container has no default handlers, and would ignore both signals."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, on_sigterm)
    loop.add_signal_handler(signal.SIGINT, on_sigint)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with ExitStack() as opened:
            listener = opened.enter_context(socket.socket(family))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            opened.pop_all()
            return listener
    except OSError as error:
        raise PortInUse(f"{host}:{port} cannot be used ({error.strerror}). {_advice(error, port)}") from None


def _advice(error: OSError, port: int) -> str:
    if error.errno in {errno.EADDRINUSE, errno.EACCES}:
        other = 8001 if port != 8001 else 8002
        return f"Choose another port: make run PORT={other}, or FACE_PORT={other} for facenet serve."
    return "Choose another address: make run HOST=127.0.0.1, or FACE_HOST=127.0.0.1 for facenet serve."


class _Protocol(HttpToolsProtocol):
    """Uvicorn's protocol with limits for the head. Uvicorn itself accepts headers of any number and size, at any time.

    The head is the request line, the headers, and the text between the chunks of a body.
    """

    _head_bytes = 0
    _chunk_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in Uvicorn
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._start_head_timer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._start_head_timer()  # Uvicorn's own timer is stopped by any byte, such as an empty line

    def on_headers_complete(self) -> None:
        self._stop_head_timer()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self.send_400_response("The request has too many headers, or too long ones.")

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._head_bytes -= len(body)
        self._chunk_bytes += len(body)

    def on_chunk_header(self) -> None:
        self._chunk_bytes = 0

    def on_chunk_complete(self) -> None:
        """Do not count the length of a chunk and its line ends. Otherwise a body in small chunks would be refused."""
        self._head_bytes -= len(f"{self._chunk_bytes:x}\r\n\r\n")

    def _start_head_timer(self) -> None:
        self._stop_head_timer()
        self._head_timer = self.loop.call_later(self.timeout_keep_alive, self._end_silent_connection)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()

    def _end_silent_connection(self) -> None:
        """Close the connection, because the head did not come. The answer to an earlier request is not cut off."""
        if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr]  # Uvicorn says never None
            self.transport.close()


class _Server(uvicorn.Server):
    """Uvicorn's server with a delay before it stops.

    Uvicorn itself would stop listening at once. Then it would raise the signal again, before the gallery is closed.
    """

    def __init__(self, config: uvicorn.Config, shutting_down: asyncio.Event, drain_delay_s: float) -> None:
        super().__init__(config)
        self._shutting_down = shutting_down
        self._drain_delay_s = drain_delay_s

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        _handle_signals(self._drain, self._stop)
        yield

    def _drain(self) -> None:
        if self._shutting_down.is_set():
            self._stop()
            return
        _log.info("draining", seconds=self._drain_delay_s)
        self._shutting_down.set()
        # From now on, every answer closes its connection. Otherwise a client could send a request just when the service
        # closes the connection.
        self.config.encoded_headers = [*self.config.encoded_headers, (b"connection", b"close")]
        asyncio.get_running_loop().call_later(self._drain_delay_s, self._stop)

    def _stop(self) -> None:
        self._shutting_down.set()
        self.should_exit = True
