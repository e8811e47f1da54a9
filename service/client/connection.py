"""A connection to a running service. It waits when the service is busy, and turns problem documents into errors."""

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Protocol, Self

import httpx

from service.domain.command_errors import RequestRefused, Unreachable

TIMEOUT_S = 120.0
MAX_TRIES = 60
"""How often a request is sent while the service is busy. The service says how long to wait between two tries."""

RETRIED_CODES = frozenset({"overloaded", "storage_unavailable"})
"""Problems that can pass. A request that timed out is not repeated: it would take too long again."""

JsonObject = dict[str, Any]


class Sink(Protocol):
    """A file, or what writes to one."""

    def writelines(self, lines: Iterable[bytes], /) -> object:
        """Write bytes, one part after the other."""
        ...


class Connection:
    """Sends requests. Safe to use from several threads at once. Use it as a context manager."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def call(self, method: str, path: str, **parts: Any) -> JsonObject:  # noqa: ANN401  # the arguments of httpx
        """Send a request and return the JSON of the answer.

        Raises RequestRefused, or Unreachable if no service answers.
        """
        response = self._send(method, path, **parts)
        content = _json_object(response)
        if response.is_error:
            raise RequestRefused(content)
        return content

    def download(self, method: str, path: str, target: Sink) -> None:
        """Send a request, and write the body of the answer to a file. Raises RequestRefused, Unreachable or OSError."""
        try:
            with self._client.stream(method, path) as response:
                if response.is_error:
                    response.read()
                    raise RequestRefused(_json_object(response))
                target.writelines(response.iter_bytes())
        except httpx.TransportError:
            raise self._unreachable() from None

    def _unreachable(self) -> Unreachable:
        return Unreachable(
            f"No service answers at {self._url}. Start it with make run, or pass its address with --url."
        )

    def _send(self, method: str, path: str, **parts: Any) -> httpx.Response:  # noqa: ANN401  # the arguments of httpx
        """Send a request, and repeat it while the service is busy.

        This is safe: the service recognises a photograph that it has already stored.
        """
        for _ in range(MAX_TRIES):
            try:
                response = self._client.request(method, path, **parts)
            except httpx.TransportError:
                raise self._unreachable() from None
            if _json_object(response).get("code") not in RETRIED_CODES:
                break
            time.sleep(float(response.headers.get("Retry-After", "1")))
        return response


def _json_object(response: httpx.Response) -> JsonObject:
    """Return the JSON object of a response. Without one, return an empty object: a proxy may have answered."""
    try:
        content = response.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
