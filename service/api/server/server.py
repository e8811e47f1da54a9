"""Run the application in Uvicorn: one process, one event loop, and an orderly end."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import cast

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from service.api.server.connections import ConnectionLimits, Connections
from service.api.server.listener import BACKLOG, listen, url_of
from service.api.server.protocol import HttpProtocol

_log = structlog.stdlib.get_logger("service.server")

OpenApp = Callable[[], AbstractAsyncContextManager[FastAPI]]


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where and how the server listens.

    drain_delay_s: how long the service accepts requests after SIGTERM, while it is no longer ready.
    request_timeout_s: how long running requests may still take at the end.
    keep_alive_s: how long an idle connection stays open, and how long the head of a request may take.
    connections, connections_per_address: how many connections can be open: of all clients, and of one.
    trusted_proxies: addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are used.
    """

    host: str
    port: int
    drain_delay_s: float
    request_timeout_s: float
    keep_alive_s: int
    connections: int
    connections_per_address: int
    trusted_proxies: Sequence[str]


async def run_server(options: ServerOptions, open_app: OpenApp) -> None:
    """Serve until SIGTERM or SIGINT, then finish the running requests. Raises StartupError.

    An orchestrator ends a service with SIGTERM. Some requests are then still on their way to it. So after SIGTERM the
    service first reports that it is not ready, and accepts requests for `drain_delay_s`. A second SIGTERM, or SIGINT,
    skips the delay.
    """
    # The port is opened before anything slow, so that a port in use is reported at once. A client that connects during
    # the start waits for its answer.
    with listen(options.host, options.port) as listener, _cancelled_by_signal():
        async with open_app() as app:
            config = uvicorn_config(app, options)
            url = url_of(listener)
            _log.info("ready", url=url, docs=f"{url}/docs")
            server = _Server(config, app.state.services.shutting_down, options.drain_delay_s)
            await server.serve(sockets=[listener])
    _log.info("ended")


def uvicorn_config(app: ASGIApp, options: ServerOptions) -> uvicorn.Config:
    """Return the configuration of Uvicorn. Without trusted proxies, no forwarded header is used."""
    limits = ConnectionLimits(options.connections, options.connections_per_address, options.trusted_proxies)
    protocol = partial(HttpProtocol, Connections(limits))
    return uvicorn.Config(
        app,
        http=protocol,  # type: ignore[arg-type]  # called to make the protocol of a connection, as a class is
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
