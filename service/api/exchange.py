"""One request's messages, in and out. Plain ASGI."""

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Send

from service.api.refusals import BodyTooLarge

DRAIN_BYTES = 2**28
DRAIN_S = 10.0


@dataclass(slots=True)
class Exchange:
    """Counts what comes in; an answer that comes before all of it did drains the rest.

    Without that, a client that is still sending sees a broken connection instead of the answer.
    receiving: whether somebody waits for the client. late: whether the time was over before there was an answer.
    """

    headers: Headers
    receive_next: Receive
    send_next: Send
    limit_bytes: int
    received_bytes: int = 0
    reading: bool = False
    receiving: bool = False
    answering: bool = False
    complete: bool = False
    late: bool = False

    @property
    def announced_bytes(self) -> int:
        """What will come; the limit where the client does not say."""
        length = self.headers.get("content-length", "")
        if length.isdecimal():
            return int(length)
        return self.limit_bytes if "transfer-encoding" in self.headers else 0

    async def receive(self) -> Message:
        """The next part of the body. Raises BodyTooLarge."""
        self.reading = self.receiving = True
        message = await self.receive_next()
        self.receiving = False
        self.received_bytes += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        if self.received_bytes > self.limit_bytes and not self.answering:
            raise BodyTooLarge
        return message

    async def receive_in_time(self) -> Message:
        """The same for work that is told to end once it is late."""
        return {"type": "http.disconnect"} if self.late else await self.receive()

    async def send_in_time(self, message: Message) -> None:
        """A part of the answer, unless another has been given already."""
        if not self.late:
            await self.send(message)

    async def send(self, message: Message) -> None:
        """A part of the answer; the rest of the body is drained once the client can read all of it."""
        self.answering = True
        if message["type"] == "http.response.body" and not message.get("more_body", False) and self.body_is_coming:
            await self.send_next({**message, "more_body": True})
            await self._drain()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        elif message["type"] == "http.response.start" and self.body_is_coming:
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await self.send_next(message)

    @property
    def body_is_coming(self) -> bool:
        """Whether the client is sending, or about to; not where it waits to be asked."""
        waits_for_leave = not self.reading and self.headers.get("expect", "").lower() == "100-continue"
        return not self.complete and self.announced_bytes > 0 and not waits_for_leave

    async def _drain(self) -> None:
        bound = self.received_bytes + DRAIN_BYTES
        try:
            async with asyncio.timeout(DRAIN_S):
                while not self.complete and self.received_bytes < bound:
                    await self.receive()
        except TimeoutError:
            return
