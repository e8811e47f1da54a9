"""A connection to a running service. It waits when the service is busy, and turns problem documents into errors."""

import json
import sys
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import quote

import httpx

from service.domain.command_errors import KeyNeeded, RequestRefused, Unreachable

TIMEOUT_S = 120.0
MAX_TRIES = 60
"""How often a request is sent while the service is busy. The service says how long to wait between two tries."""

SAID_WAIT_S = 2.0
"""A longer wait is said, so that nobody thinks that the command hangs."""

RETRIED_CODES = frozenset({"index_building", "overloaded", "rate_exceeded", "storage_unavailable"})
"""Problems that can pass. A request that timed out is not repeated: it would take too long again."""

JsonObject = dict[str, Any]


def collection_path(collection: str) -> str:
    """Return the path of a collection. An id with a slash or dots must not become another path."""
    return f"/collections/{quote(collection, safe='')}"


class Sink(Protocol):
    """A file, or what writes to one."""

    def writelines(self, lines: Iterable[bytes], /) -> object:
        """Write bytes, one part after the other."""
        ...


class Connection:
    """Sends requests. Safe to use from several threads at once. Use it as a context manager.

    key: the access key. None if the service needs none.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        self._url = url
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # A proxy of the environment must not get a key that is meant for this machine.
        uses_proxy = httpx.URL(url).host not in {"127.0.0.1", "localhost", "::1"}
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S, headers=headers, trust_env=uses_proxy)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def call(self, method: str, path: str, **parts: Any) -> JsonObject:  # noqa: ANN401  # the arguments of httpx
        """Send a request, again while the service is busy, and return the JSON of the answer.

        Raises RequestRefused, KeyNeeded, or Unreachable if no service answers.
        """
        return _content(self._send(method, path, **parts))

    def send_lines(self, path: str, lines: bytes) -> list[JsonObject]:
        """Send lines of NDJSON, and return the JSON of each line of the answer. Repeats and raises as `call` does."""
        response = self._send("POST", path, content=lines, headers={"Content-Type": "application/x-ndjson"})
        if response.is_error:
            raise _refusal(_json_object(response))
        return [json.loads(line) for line in response.content.splitlines()]

    def call_once(self, method: str, path: str, **parts: Any) -> JsonObject:  # noqa: ANN401  # the arguments of httpx
        """Send a request that must not be repeated, and return the JSON of the answer. Raises as `call` does."""
        return _content(self._request(method, path, **parts))

    def download(self, method: str, path: str, target: Sink) -> None:
        """Send a request, and write the body of the answer to a file. Raises RequestRefused, Unreachable or OSError."""
        try:
            with self._client.stream(method, path) as response:
                if response.is_error:
                    response.read()
                    raise _refusal(_json_object(response))
                target.writelines(response.iter_bytes())
        except httpx.TransportError:
            raise self._unreachable() from None

    def _unreachable(self) -> Unreachable:
        return Unreachable(
            f"No service answers at {self._url}. Start it with make run, or pass its address with --url."
        )

    def _request(self, method: str, path: str, **parts: Any) -> httpx.Response:  # noqa: ANN401  # the arguments of httpx
        try:
            return self._client.request(method, path, **parts)
        except httpx.TransportError:
            raise self._unreachable() from None

    def _send(self, method: str, path: str, **parts: Any) -> httpx.Response:  # noqa: ANN401  # the arguments of httpx
        """Send a request, and repeat it while the service is busy.

        This is safe: the service recognises a photograph that it has already stored.
        """
        for _ in range(MAX_TRIES):
            response = self._request(method, path, **parts)
            if not response.is_error or _json_object(response).get("code") not in RETRIED_CODES:
                break
            wait_s = float(response.headers.get("Retry-After", "1"))
            if wait_s >= SAID_WAIT_S:
                print(f"facenet: {_refusal(_json_object(response))} Waiting {wait_s:g} s.", file=sys.stderr)  # noqa: T201  # its output
            time.sleep(wait_s)
        return response


def _refusal(problem: JsonObject) -> RequestRefused | KeyNeeded:
    return KeyNeeded() if problem.get("code") == "key_missing" else RequestRefused(problem)


def _content(response: httpx.Response) -> JsonObject:
    """Return the JSON of an answer. Raises RequestRefused or KeyNeeded."""
    content = _json_object(response)
    if response.is_error:
        raise _refusal(content)
    return content


def _json_object(response: httpx.Response) -> JsonObject:
    """Return the JSON object of a response. Without one, return an empty object: a proxy may have answered."""
    try:
        content = response.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
