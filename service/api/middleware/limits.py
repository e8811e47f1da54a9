"""The limits of a request before its route is called: its bytes, the bytes of all requests together, and its time."""

import asyncio

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.access.shares import SharedLimit
from service.api.errors.http_errors import BodyTooLarge
from service.api.middleware.exchange import Exchange, WorkTimer
from service.api.middleware.uploads import HeldBytes, UploadRules, UploadWatch
from service.api.problems import response_to, response_to_http_error
from service.domain.errors import ShuttingDown, TimedOut, Unavailable
from service.domain.waiting import work_for


class RequestLimits:
    """Refuses a body that is too large or comes too slowly, or if all bodies together are too large.

    The time limit starts when the whole body has come. It ends when the response starts. After it, or if the client has
    left, the work on the request ends at its next step.
    """

    def __init__(
        self, app: ASGIApp, *, body_bytes: int, body_bytes_in_flight: int, upload: UploadRules, timeout_s: float
    ) -> None:
        self._app = app
        self._body_bytes = body_bytes
        self._in_flight = SharedLimit(max(body_bytes_in_flight, body_bytes), body_bytes)
        self._upload = upload
        self._timeout_s = timeout_s
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on and wait for the response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = self._exchange(scope, receive, send)
        if exchange.announced_bytes > self._body_bytes:
            error: Response | None = response_to_http_error(BodyTooLarge())
        else:
            error = await self._wait(self._start(scope, exchange), exchange)
        if error is not None:
            await error(scope, exchange.receive, exchange.send)

    def _exchange(self, scope: Scope, receive: Receive, send: Send) -> Exchange:
        held_bytes, upload, timer = HeldBytes(self._in_flight), UploadWatch(self._upload), WorkTimer(self._timeout_s)
        return Exchange(Headers(scope=scope), receive, send, self._body_bytes, held_bytes, upload, timer)

    def _start(self, scope: Scope, exchange: Exchange) -> asyncio.Task[None]:
        """Start the work on a request. Its bytes count as in flight until it ends, even after a timeout."""

        def end(ended: asyncio.Task[None]) -> None:
            exchange.timer.stop()
            exchange.release()
            watch.cancel()
            self._running.discard(ended)
            if not (exchange.client.waits or ended.cancelled()):
                ended.exception()  # nothing awaits the task any more, and asyncio would log its error

        exchange.timer.restart()
        work = asyncio.create_task(self._run(scope, exchange))
        watch = asyncio.create_task(self._watch(exchange))
        self._running.add(work)
        work.add_done_callback(end)
        return work

    async def _run(self, scope: Scope, exchange: Exchange) -> None:
        with work_for(exchange.client):
            await self._app(scope, exchange.receive_in_time, exchange.send_in_time)

    async def _watch(self, exchange: Exchange) -> None:
        await exchange.wait_until_client_leaves()
        exchange.client.leave()

    async def _wait(self, work: asyncio.Task[None], exchange: Exchange) -> Response | None:
        """Wait for the response of the work, or return an error after the time limit.

        After the time limit, the work is not cancelled but ends itself at its next step. Work in a thread cannot be
        cancelled. If its task were cancelled, the work would no longer count as running, and the next request would
        start another thread.
        """
        try:
            await asyncio.wait({work, exchange.timer.expired}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:  # the server stops, and this request takes longer than it waits
            if exchange.answering:
                raise
            return await self._refuse(ShuttingDown(), work, exchange)
        if work.done() or exchange.answering:
            await work
            return None
        advice = "Send less in one request" if exchange.received_bytes else "Try again when the service has less to do"
        reason = f"The request took longer than {self._timeout_s:g} s. {advice}."
        return await self._refuse(TimedOut(reason, retry_after_s=5), work, exchange)

    async def _refuse(self, error: Unavailable, work: asyncio.Task[None], exchange: Exchange) -> Response | None:
        """Refuse the request, or wait for its work if that is storing a change just now."""
        if exchange.client.refuse():
            return response_to(error)
        await work
        return None
