"""Uvicorn around the application: one process, one event loop, and an end that closes what was opened."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from math import ceil
from typing import cast

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
    """Serves until SIGTERM or SIGINT, then finishes what it holds. Raises StartupError.

    SIGTERM is how an orchestrator ends a service: it is first said not to be ready any more, and requests that are on
    their way still find it, for as long as the settings say. A second one, or SIGINT, does not wait.
    """
    with _listen(settings.host, settings.port) as listener, _ended_by_signal():
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
                timeout_graceful_shutdown=ceil(settings.limits.request_timeout_s),
            )
            url = _url(listener)
            _log.info("ready", url=url, docs=f"{url}/docs")
            await _Server(config, app.state.services.ending, settings.drain_delay_s).serve(sockets=[listener])
    _log.info("ended")


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """A signal ends the start, until the server takes over. Any other cancellation goes on."""
    start = cast("asyncio.Task[None]", asyncio.current_task())
    told = asyncio.Event()

    def end() -> None:
        told.set()
        start.cancel()

    _on_signals(end, end)
    try:
        yield
    except asyncio.CancelledError:
        if not told.is_set():
            raise


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _on_signals(terminate: Callable[[], object], interrupt: Callable[[], object]) -> None:
    """What SIGTERM and SIGINT do from now on. Without this, process 1 of a container would not hear them at all."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, terminate)
    loop.add_signal_handler(signal.SIGINT, interrupt)


def _listen(host: str, port: int) -> socket.socket:
    """Before anything slow is opened, so that a port in use is told at once; who connects now waits for the answer."""
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
        raise PortInUse(
            f"{host}:{port} cannot be used ({error.strerror}). Choose another with FACE_HOST or FACE_PORT."
        ) from None


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
    """Uvicorn stops listening at once, and raises the signal again in the end, before the gallery is closed."""

    def __init__(self, config: uvicorn.Config, ending: asyncio.Event, drain_delay_s: float) -> None:
        super().__init__(config)
        self._ending = ending
        self._drain_delay_s = drain_delay_s

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        _on_signals(self._drain, self._stop)
        yield

    def _drain(self) -> None:
        if self._ending.is_set():
            self._stop()
            return
        _log.info("draining", seconds=self._drain_delay_s)
        self._ending.set()
        # Clients that keep a connection would find it cut in the end, with a request on its way.
        self.config.encoded_headers = [*self.config.encoded_headers, (b"connection", b"close")]
        asyncio.get_running_loop().call_later(self._drain_delay_s, self._stop)

    def _stop(self) -> None:
        self._ending.set()
        self.should_exit = True
