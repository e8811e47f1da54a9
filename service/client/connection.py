"""A connection to a running service: waits where it is told to, and turns refusals into errors."""

import time
from types import TracebackType
from typing import Any, Self

import httpx

from service.errors import Refused, Unreachable

TIMEOUT_S = 120.0
TRIES = 60
"""How often a request is sent that the service has no room for; it says itself how long to wait."""

COMES_BACK = frozenset({"overloaded", "storage_unavailable"})
"""Refusals of a request that is fine. One that took too long would take too long again."""

JsonObject = dict[str, Any]


class Connection:
    """Sends requests. Safe to use from several threads at once; use as a context manager."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def call(self, method: str, path: str, **parts: Any) -> JsonObject:  # noqa: ANN401  # what httpx takes
        """Sends a request and returns the answer's JSON. Raises Refused, or Unreachable if nobody answers."""
        response = self._send(method, path, **parts)
        content = _content(response)
        if response.is_error:
            raise Refused(content)
        return content

    def _send(self, method: str, path: str, **parts: Any) -> httpx.Response:  # noqa: ANN401  # what httpx takes
        """A request may be sent again: the service knows a photograph that it has stored already."""
        for _ in range(TRIES):
            try:
                response = self._client.request(method, path, **parts)
            except httpx.TransportError as error:
                raise Unreachable(
                    f"No service answers at {self._url} ({type(error).__name__}). Start it with make run, "
                    "or name it with --url."
                ) from None
            if _content(response).get("code") not in COMES_BACK:
                break
            time.sleep(float(response.headers.get("Retry-After", "1")))
        return response


def _content(response: httpx.Response) -> JsonObject:
    """The answer's JSON object; empty where it has none, such as that of a proxy."""
    try:
        content = response.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
