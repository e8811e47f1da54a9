"""How fast a body must come, and how many bytes of all bodies can be in memory."""

import asyncio
from dataclasses import dataclass

from starlette.types import Message, Receive

from service.access.shares import SharedLimit
from service.api.errors.http_errors import UploadTooSlow
from service.domain.access import current_access
from service.domain.errors import Overloaded


@dataclass(frozen=True, slots=True)
class UploadRules:
    """When an upload is ended.

    idle_s: the longest time without a byte.
    bytes_per_s, span_s: the least mean rate over a span of this length. It ends clients that send a byte now and then.
    """

    idle_s: float
    bytes_per_s: float
    span_s: float


class UploadWatch:
    """Waits for the bytes of one body. Only time in which the service waits for the client counts."""

    def __init__(self, rules: UploadRules) -> None:
        self._rules = rules
        self._span_bytes = 0
        self._waited_s = 0.0

    async def receive(self, receive_next: Receive) -> Message:
        """Return the next message of the client. Raises UploadTooSlow."""
        clock = asyncio.get_running_loop().time
        start_s = clock()
        try:
            async with asyncio.timeout(self._longest_wait_s()):
                message = await receive_next()
        except TimeoutError:
            raise UploadTooSlow from None
        self._count(len(message.get("body", b"")), clock() - start_s)
        return message

    def _longest_wait_s(self) -> float:
        rules = self._rules
        if self._span_bytes >= rules.bytes_per_s * rules.span_s:
            return rules.idle_s
        return min(rules.idle_s, rules.span_s - self._waited_s)

    def _count(self, received_bytes: int, waited_s: float) -> None:
        self._span_bytes += received_bytes
        self._waited_s += waited_s
        if self._waited_s >= self._rules.span_s:  # enough bytes came, otherwise the wait would have ended before
            self._span_bytes, self._waited_s = 0, 0.0


class HeldBytes:
    """The bytes of one body that are in memory.

    in_flight: counts those of all running requests together.
    """

    def __init__(self, in_flight: SharedLimit) -> None:
        self._in_flight = in_flight
        self._key: str | None = None
        self._count = 0

    def take(self, count: int) -> None:
        """Count bytes that came. Raises Overloaded if they are too many: the request then ends, and its bytes go."""
        self._key = current_access().key  # the body is read after the key is known
        if not self._in_flight.take(self._key, count):
            raise Overloaded("Too many bytes are being uploaded. Try again in a moment.", retry_after_s=1)
        self._count += count

    def give_back(self) -> None:
        """No longer count the bytes."""
        self._in_flight.give_back(self._key, self._count)
        self._count = 0
