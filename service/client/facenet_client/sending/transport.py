"""Sends calls: one transport for programs that wait, and one for programs with an event loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

import httpx

from facenet_client.calls import Call, Download, Listing
from facenet_client.environment import advice_on_tls
from facenet_client.errors import RequestRefused, Unreachable
from facenet_client.sending.answers import refusal_of, result_of
from facenet_client.sending.retries import Retries

T = TypeVar("T")


class Transport:
    """Sends calls, and waits for the answers. Safe to use from several threads."""

    def __init__(self, http: httpx.Client, retries: Retries, sleep: Callable[[float], object] = time.sleep) -> None:
        self._http = http
        self._retries = retries
        self._sleep = sleep

    @property
    def address(self) -> str:
        """The address of the service."""
        return _address(self._http)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """Send a call, and return its result."""
        attempts = self._retries.start()
        while True:
            try:
                return self._try(call)
            except RequestRefused as refusal:
                if not call.is_repeatable:
                    raise
                wait_s = attempts.wait_after(refusal)
            self._sleep(wait_s)

    def list_items(self, listing: Listing[T]) -> Iterator[T]:
        """Yield all items. A page is asked for when its first item is needed."""
        cursor = None
        while True:
            page = self.send(listing.page(cursor))
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def download(self, download: Download) -> None:
        """Write the body of the answer to the file."""
        try:
            with self._http.stream(download.method, download.path) as response:
                if not response.is_success:
                    response.read()
                    raise refusal_of(response)
                download.target.writelines(response.iter_bytes())
        except httpx.RequestError as error:
            raise _unreachable(self.address, error) from None

    def _try(self, call: Call[T]) -> T:
        try:
            return result_of(self._http.request(call.method, call.path, **call.parts), call.read)
        except httpx.RequestError as error:
            raise _unreachable(self.address, error) from None


class AsyncTransport:
    """Sends calls in an event loop of asyncio."""

    def __init__(
        self, http: httpx.AsyncClient, retries: Retries, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._http = http
        self._retries = retries
        self._sleep = sleep

    @property
    def address(self) -> str:
        """The address of the service."""
        return _address(self._http)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """Send a call, and return its result."""
        attempts = self._retries.start()
        while True:
            try:
                return await self._try(call)
            except RequestRefused as refusal:
                if not call.is_repeatable:
                    raise
                wait_s = attempts.wait_after(refusal)
            await self._sleep(wait_s)

    async def list_items(self, listing: Listing[T]) -> AsyncIterator[T]:
        """Yield all items. A page is asked for when its first item is needed."""
        cursor = None
        while True:
            page = await self.send(listing.page(cursor))
            for item in page.items:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return

    async def download(self, download: Download) -> None:
        """Write the body of the answer to the file."""
        try:
            async with self._http.stream(download.method, download.path) as response:
                if not response.is_success:
                    await response.aread()
                    raise refusal_of(response)
                async for part in response.aiter_bytes():
                    download.target.writelines([part])
        except httpx.RequestError as error:
            raise _unreachable(self.address, error) from None

    async def _try(self, call: Call[T]) -> T:
        try:
            return result_of(await self._http.request(call.method, call.path, **call.parts), call.read)
        except httpx.RequestError as error:
            raise _unreachable(self.address, error) from None


def _address(http: httpx.Client | httpx.AsyncClient) -> str:
    """Return where a client sends to. A password in the URL is left out."""
    return str(http.base_url.copy_with(userinfo=b"")).rstrip("/")


def _unreachable(address: str, error: httpx.RequestError) -> Unreachable:
    """Return the error for an answer that did not come."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.ConnectError):
        return Unreachable(
            f"No service answers at {address} ({reason}). Start it, or set its address in FACENET_URL."
            f"{advice_on_tls(address)}"
        )
    if isinstance(error, httpx.TimeoutException):
        return Unreachable(f"The service at {address} did not answer in time.")
    return Unreachable(f"The connection to the service at {address} failed before the end of the answer ({reason}).")
