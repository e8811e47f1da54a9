"""A service that is made up, for both transports, and a clock that does not wait."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from facenet_client.calls import Call, Download, Listing
from facenet_client.errors import RequestRefused
from facenet_client.sending.retries import Retries
from facenet_client.sending.transport import AsyncTransport, Transport

URL = "http://127.0.0.1:8000"
Answer = httpx.Response | Exception


def problem(code: str, status: int = 503, retry_after: str | None = "1") -> httpx.Response:
    body = {"type": "about:blank", "title": "Refused", "status": status, "code": code, "detail": f"It is {code}."}
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return httpx.Response(status, json=body, headers=headers | {"Content-Type": "application/problem+json"})


def ok(body: object = None) -> httpx.Response:
    return httpx.Response(200, json=body)


@dataclass
class MadeUpService:
    """Gives the answers one after the other, and the last one again and again. Time passes only in waits."""

    answers: Sequence[Answer]
    retry_s: float = 60
    requests: list[httpx.Request] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    said: list[tuple[str, float]] = field(default_factory=list)

    def send(self, kind: str, call: Call[Any]) -> Any:
        """Send a call with the sync or the async transport."""
        if kind == "sync":
            return self._sync().send(call)
        return asyncio.run(self._async().send(call))

    def list_items(self, kind: str, listing: Listing[Any]) -> list[Any]:
        """List with one of the transports."""
        if kind == "sync":
            return list(self._sync().list_items(listing))

        async def collect() -> list[Any]:
            return [item async for item in self._async().list_items(listing)]

        return asyncio.run(collect())

    def download(self, kind: str, download: Download) -> None:
        """Download with one of the transports."""
        if kind == "sync":
            self._sync().download(download)
        else:
            asyncio.run(self._async().download(download))

    def _sync(self) -> Transport:
        http = httpx.Client(base_url=URL, transport=httpx.MockTransport(self._answer))
        return Transport(http, self._retries(), self.waits_s.append)

    def _async(self) -> AsyncTransport:
        async def sleep(wait_s: float) -> None:
            self.waits_s.append(wait_s)

        http = httpx.AsyncClient(base_url=URL, transport=httpx.MockTransport(self._answer))
        return AsyncTransport(http, self._retries(), sleep)

    def _retries(self) -> Retries:
        return Retries(self.retry_s, self._say, clock=lambda: sum(self.waits_s))

    def _say(self, refusal: RequestRefused, wait_s: float) -> None:
        self.said.append((refusal.code, wait_s))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        try:  # a response of httpx can be sent once only
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        except httpx.ResponseNotRead:
            return answer
