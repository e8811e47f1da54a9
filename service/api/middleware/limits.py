"""The limits of a request before its route is called: its bytes, the bytes of all requests together, and its time."""

import asyncio

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.middleware.exchange import Exchange
from service.api.problems import BodyTooLarge, response_to, response_to_http_error
from service.domain.errors import Overloaded, TimedOut


class RequestLimits:
    """Refuses a body if it is too large, or if all bodies together are too large. Answers within the time limit."""

    def __init__(self, app: ASGIApp, *, body_bytes: int, body_bytes_in_flight: int, timeout_s: float) -> None:
        self._app = app
        self._body_bytes = body_bytes
        self._free_bytes = max(body_bytes_in_flight, body_bytes)
        self._timeout_s = timeout_s
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on and wait for the response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(Headers(scope=scope), receive, send, self._body_bytes)
        error = self._check_size(exchange.announced_bytes)
        if error is None:
            error = await self._wait(self._start(scope, exchange), exchange)
        if error is not None:
            await error(scope, exchange.receive, exchange.send)

    def _check_size(self, announced_bytes: int) -> Response | None:
        if announced_bytes > self._body_bytes:
            return response_to_http_error(BodyTooLarge())
        if announced_bytes > self._free_bytes:
            return response_to(Overloaded("Too many bytes are being uploaded. Try again in a moment.", retry_after_s=1))
        return None

    def _start(self, scope: Scope, exchange: Exchange) -> asyncio.Task[None]:
        """Start the work on a request. It keeps its share of the bytes until it ends, even after a timeout."""

        def end(ended: asyncio.Task[None]) -> None:
            self._free_bytes += exchange.announced_bytes
            self._running.discard(ended)
            if exchange.late and not ended.cancelled():
                ended.exception()  # nothing awaits the task any more, and asyncio would log its error

        work = asyncio.create_task(self._run(scope, exchange))
        self._running.add(work)
        self._free_bytes -= exchange.announced_bytes
        work.add_done_callback(end)
        return work

    async def _run(self, scope: Scope, exchange: Exchange) -> None:
        await self._app(scope, exchange.receive_in_time, exchange.send_in_time)

    async def _wait(self, work: asyncio.Task[None], exchange: Exchange) -> Response | None:
        """Wait for the response of the work, or return an error after the time limit.

        After the time limit, the work is cancelled only if it waits for the client. Work in a thread cannot be
        cancelled. If its task were cancelled, the work would no longer count as running, and the next request would
        start another thread.
        """
        await asyncio.wait({work}, timeout=self._timeout_s)
        if work.done() or exchange.answering:
            await work
            return None
        exchange.late = True
        if exchange.receiving:
            work.cancel()
            await asyncio.wait({work})
        error = TimedOut(
            f"The request took longer than {self._timeout_s:g} s. Send less in one request.", retry_after_s=5
        )
        return response_to(error)
