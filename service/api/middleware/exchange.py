"""The messages of one request, in both directions. Plain ASGI."""

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Send

from service.api.problems import BodyTooLarge

DRAIN_BYTES = 2**28
DRAIN_S = 10.0


@dataclass(slots=True)
class Exchange:
    """Counts the bytes of the body. If the response is ready before the body has arrived, it drains the rest.

    To drain is to receive and discard. Otherwise a client that is still sending would get a broken connection, and not
    the response.

    receiving: whether the application waits for the client now.
    late: whether the time limit passed before the response started.
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
        """The announced length of the body: the limit if the client does not announce it, 0 if there is no body."""
        length = self.headers.get("content-length", "")
        if length.isdecimal():
            return int(length)
        return self.limit_bytes if "transfer-encoding" in self.headers else 0

    async def receive(self) -> Message:
        """Return the next part of the body. Raises BodyTooLarge."""
        self.reading = self.receiving = True
        message = await self.receive_next()
        self.receiving = False
        self.received_bytes += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        if self.received_bytes > self.limit_bytes and not self.answering:
            raise BodyTooLarge
        return message

    async def receive_in_time(self) -> Message:
        """Return the next part of the body. After the time limit, return a disconnect, so that the work ends."""
        return {"type": "http.disconnect"} if self.late else await self.receive()

    async def send_in_time(self, message: Message) -> None:
        """Send a part of the response. After the time limit it is dropped: the client got another response."""
        if not self.late:
            await self.send(message)

    async def send(self, message: Message) -> None:
        """Send a part of the response. The rest of the body is drained when the client has the whole response."""
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
        """Whether the client is sending. A client that waits for `100 Continue` is not."""
        waits_for_continue = not self.reading and self.headers.get("expect", "").lower() == "100-continue"
        return not self.complete and self.announced_bytes > 0 and not waits_for_continue

    async def _drain(self) -> None:
        limit_bytes = self.received_bytes + DRAIN_BYTES
        try:
            async with asyncio.timeout(DRAIN_S):
                while not self.complete and self.received_bytes < limit_bytes:
                    await self.receive()
        except TimeoutError:
            return
