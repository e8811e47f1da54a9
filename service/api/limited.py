"""What a request may cost before its route sees it: its bytes, everybody's bytes together, its time. Plain ASGI."""

import asyncio

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.exchange import Exchange
from service.api.problems import of_face_error, of_refusal
from service.api.refusals import BodyTooLarge
from service.errors import Overloaded, TimedOut


class Limited:
    """Refuses what is too large or too much, and answers in time."""

    def __init__(self, app: ASGIApp, *, body_bytes: int, body_bytes_in_flight: int, timeout_s: float) -> None:
        self._app = app
        self._body_bytes = body_bytes
        self._free_bytes = max(body_bytes_in_flight, body_bytes)
        self._timeout_s = timeout_s
        self._under_way: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(Headers(scope=scope), receive, send, self._body_bytes)
        refusal = self._refusal(exchange.announced_bytes)
        if refusal is None:
            refusal = await self._in_time(self._begin(scope, exchange), exchange)
        if refusal is not None:
            await refusal(scope, exchange.receive, exchange.send)

    def _refusal(self, announced_bytes: int) -> Response | None:
        if announced_bytes > self._body_bytes:
            return of_refusal(BodyTooLarge())
        if announced_bytes > self._free_bytes:
            return of_face_error(Overloaded("Too much is being uploaded. Try again in a moment.", retry_after_s=1))
        return None

    def _begin(self, scope: Scope, exchange: Exchange) -> asyncio.Task[None]:
        """The work on a request, and its share of the bytes until it ends, whoever still waits for it."""

        def end(ended: asyncio.Task[None]) -> None:
            self._free_bytes += exchange.announced_bytes
            self._under_way.discard(ended)
            if exchange.late and not ended.cancelled():
                ended.exception()  # nobody waits for it any more

        work = asyncio.create_task(self._answer(scope, exchange))
        self._under_way.add(work)
        self._free_bytes -= exchange.announced_bytes
        work.add_done_callback(end)
        return work

    async def _answer(self, scope: Scope, exchange: Exchange) -> None:
        await self._app(scope, exchange.receive_in_time, exchange.send_in_time)

    async def _in_time(self, work: asyncio.Task[None], exchange: Exchange) -> Response | None:
        """Waits for the work to answer, or says that it does not.

        Then only what still waits for its client is ended. A thread cannot be, and if nobody waited for it, it would no
        longer be counted, and the next request would start another beside it.
        """
        await asyncio.wait({work}, timeout=self._timeout_s)
        if work.done() or exchange.answering:
            await work
            return None
        exchange.late = True
        if exchange.receiving:
            work.cancel()
            await asyncio.wait({work})
        error = TimedOut(f"The request took longer than {self._timeout_s:g} s. Send less at once.", retry_after_s=5)
        return of_face_error(error)
