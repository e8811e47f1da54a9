"""The clients. Both have the operations of `Service`."""

from types import TracebackType
from typing import Self, TypeVar

import httpx

from facenet_client.calls import Call, Download
from facenet_client.environment import find_service
from facenet_client.operations.service import Service
from facenet_client.sending.retries import OnWait, Retries
from facenet_client.sending.transport import AsyncTransport, Transport

T = TypeVar("T")

TIMEOUT_S = 120.0
RETRY_S = 60.0


class Client(Service[Transport]):
    """A client of a running service. Safe to use from several threads. Use it as a context manager, or close it.

    url: where the service is. Default: the variable FACENET_URL, or http://127.0.0.1:8000.
    key: the access key. Default: the file that FACENET_KEY_FILE names, or the variable FACENET_KEY.
    timeout_s: how long one request may take to connect, and between two parts of an answer.
    retry_s: how long a request is repeated while the service is busy. 0: it is not.
    on_wait: is called before each wait with the refusal and the seconds.
    transport: a transport of httpx, such as `httpx.HTTPTransport(verify=...)` for a certificate of your own.

    Every operation raises RequestRefused, Unreachable or UnexpectedAnswer.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retry_s: float = RETRY_S,
        on_wait: OnWait | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        http = httpx.Client(**find_service(url, key).http_options, timeout=timeout_s, transport=transport)
        super().__init__(Transport(http, Retries(retry_s, on_wait)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport.address!r})"

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def send(self, call: Call[T]) -> T:
        """Send a call that this client has no method for, and return its result."""
        return self._transport.send(call)

    def download(self, download: Download) -> None:
        """Write an answer to a file."""
        self._transport.download(download)


class AsyncClient(Service[AsyncTransport]):
    """A client for an event loop of asyncio: the operations of `Client`, to be awaited.

    The arguments are those of `Client`. Lists are for `async for`. Use it with `async with`, or await `aclose`.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retry_s: float = RETRY_S,
        on_wait: OnWait | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        http = httpx.AsyncClient(**find_service(url, key).http_options, timeout=timeout_s, transport=transport)
        super().__init__(AsyncTransport(http, Retries(retry_s, on_wait)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport.address!r})"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def send(self, call: Call[T]) -> T:
        """Send a call that this client has no method for, and return its result."""
        return await self._transport.send(call)

    async def download(self, download: Download) -> None:
        """Write an answer to a file."""
        await self._transport.download(download)
