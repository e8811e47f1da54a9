"""The messages of one request, in both directions. Plain ASGI."""

import asyncio
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Send

from service.api.errors.http_errors import BodyTooLarge, UploadTooSlow
from service.api.middleware.uploads import HeldBytes, UploadWatch
from service.domain.errors import Overloaded
from service.domain.waiting import WaitingClient

DRAIN_BYTES = 2**28
DRAIN_S = 10.0


class WorkTimer:
    """Measures the time of the service's own work. It stands still while the service waits for the client.

    expired: is done when the work has taken longer than `limit_s`.
    """

    def __init__(self, limit_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit_s = limit_s
        self._handle: asyncio.TimerHandle | None = None
        self.expired: asyncio.Future[None] = self._loop.create_future()

    def restart(self) -> None:
        """Start at zero."""
        self.stop()
        self._handle = self._loop.call_later(self._limit_s, self._expire)

    def stop(self) -> None:
        """Stand still until the next start."""
        if self._handle is not None:
            self._handle.cancel()

    def _expire(self) -> None:
        if not self.expired.done():
            self.expired.set_result(None)


@dataclass(slots=True)
class Exchange:
    """Counts the bytes of the body. If the response is ready before the body has arrived, it drains the rest.

    To drain is to receive and discard. Otherwise a client that is still sending would get a broken connection, and not
    the response.

    held_bytes: counts the bytes of the body as in flight.
    stalled: whether the upload was ended because the client sends too slowly.
    client: whether somebody waits for the response. After a refusal, the response of the work is dropped.
    """

    headers: Headers
    receive_next: Receive
    send_next: Send
    limit_bytes: int
    held_bytes: HeldBytes
    upload: UploadWatch
    timer: WorkTimer
    received_bytes: int = 0
    reading: bool = False
    answering: bool = False
    complete: bool = field(init=False)
    stalled: bool = False
    client: WaitingClient = field(default_factory=WaitingClient, init=False)
    _body_was_read: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        self.complete = self.announced_bytes == 0 and "transfer-encoding" not in self.headers

    @property
    def announced_bytes(self) -> int:
        """The announced length of the body: 0 if the client does not announce it."""
        length = self.headers.get("content-length", "")
        return int(length) if length.isdecimal() else 0

    async def receive(self) -> Message:
        """Return the next part of the body. Raises BodyTooLarge, UploadTooSlow, Overloaded."""
        self.reading = True
        message = await (self.receive_next() if self.complete else self._receive_part())
        if not message.get("more_body", False):
            self.complete = True
            self._body_was_read.set()
        return message

    async def wait_until_client_leaves(self) -> None:
        """Return when the client has left, or has its response. Before that, the body must have been read."""
        await self._body_was_read.wait()
        while (await self.receive_next())["type"] != "http.disconnect":
            pass

    async def _receive_part(self) -> Message:
        if self.answering:
            return await self.receive_next()
        self.timer.stop()
        try:
            message = await self.upload.receive(self.receive_next)
            self._count(len(message.get("body", b"")))
        except (BodyTooLarge, Overloaded, UploadTooSlow) as refusal:
            self.stalled = isinstance(refusal, UploadTooSlow)
            self.release()
            raise
        finally:
            self.timer.restart()
        return message

    def _count(self, received_bytes: int) -> None:
        self.received_bytes += received_bytes
        if self.received_bytes > self.limit_bytes:
            raise BodyTooLarge
        self.held_bytes.take(received_bytes)

    def release(self) -> None:
        """No longer count the bytes of the body as in flight.

        A refusal does this at once: the error ends the reader of the body before another request runs. If it was done
        at the end of the work, the next bytes of all other uploads would be refused too, and nobody would be answered.
        """
        self.held_bytes.give_back()

    async def receive_in_time(self) -> Message:
        """Return the next part of the body. If nobody waits, return a disconnect, so that the work ends."""
        return await self.receive() if self.client.waits else {"type": "http.disconnect"}

    async def send_in_time(self, message: Message) -> None:
        """Send a part of the response. If nobody waits for it, it is dropped."""
        if self.client.waits:
            await self.send(message)

    async def send(self, message: Message) -> None:
        """Send a part of the response. The rest of the body is drained when the client has the whole response."""
        self.answering = True
        self.timer.stop()
        if message["type"] == "http.response.body" and not message.get("more_body", False) and self.body_is_coming:
            await self.send_next({**message, "more_body": True})
            await self._drain()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        elif message["type"] == "http.response.start" and not self.complete:
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await self.send_next(message)

    @property
    def body_is_coming(self) -> bool:
        """Whether the client is sending. A client that waits for `100 Continue`, or that stalled, is not."""
        waits_for_continue = not self.reading and self.headers.get("expect", "").lower() == "100-continue"
        return not (self.complete or self.stalled or waits_for_continue)

    async def _drain(self) -> None:
        drained_bytes = 0
        try:
            async with asyncio.timeout(DRAIN_S):
                while not self.complete and drained_bytes < DRAIN_BYTES:
                    drained_bytes += len((await self.receive()).get("body", b""))
        except TimeoutError:
            return
