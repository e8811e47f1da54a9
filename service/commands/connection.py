"""The connection of the commands to a running service: the client, with the errors and messages of a command."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

import facenet_client
from facenet_client.calls import Call, Download, Sink, path_of, read_receipt
from facenet_client.environment import advice_on_tls
from facenet_client.sending.retries import BUSY_CODES
from service.domain.command_errors import KeyNeeded, RequestRefused, ServiceBusy, Unreachable

GIVE_UP_S = 300.0
"""How long a command waits while the service refuses every request because it is busy. It is longer than a minute of
the rate of a key, and than the start of a large gallery."""

SAID_WAIT_S = 2.0
"""A longer wait is said, so that nobody thinks that the command hangs."""

JsonObject = dict[str, Any]
T = TypeVar("T")


def collection_path(collection: str, *parts: str) -> str:
    """Return the path of a collection, or of a part of it, such as "subjects", ID, "export".

    An id with a slash or dots must not become another path. Raises RequestRefused for such an id.
    """
    try:
        return path_of("collections", collection, *parts)
    except ValueError as error:
        raise RequestRefused({"code": "invalid_request", "detail": str(error)}) from None


@contextmanager
def explains_missing(collection: str) -> Iterator[None]:
    """If the service does not find the collection, say it in the words of a command. Raises RequestRefused."""
    try:
        yield
    except RequestRefused as error:
        if error.problem_code != "collection_not_found":
            raise
        detail = (
            f"There is no collection {collection}, or the access key does not include it. facenet enrol FOLDER "
            f"--collection {collection} creates it."
        )
        raise RequestRefused({**error.problem, "detail": detail}, error.request_id) from None


class Patience:
    """Waits while the service is busy, and gives up when it has refused every request for too long.

    The requests of all threads count together: a request may wait longer while others are answered.
    clock: returns a time in seconds.
    """

    def __init__(self, give_up_s: float = GIVE_UP_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._give_up_s = give_up_s
        self._clock = clock
        self._busy_since_s: float | None = None
        self._said_until_s = -math.inf

    def note_answer(self) -> None:
        """Begin again to count: the service is not busy, or not for everybody."""
        self._busy_since_s = None

    def wait(self, refusal: facenet_client.RequestRefused, wait_s: float) -> None:
        """Say that a request waits, once for all threads. Raises ServiceBusy if it would be too long."""
        now_s, since_s = self._clock(), self._busy_since_s
        if since_s is None:
            since_s = self._busy_since_s = now_s
        if now_s + wait_s - since_s > self._give_up_s:
            raise ServiceBusy(refusal.problem.model_dump(mode="json"), refusal.request_id, self._give_up_s)
        if wait_s >= SAID_WAIT_S and now_s >= self._said_until_s:
            self._said_until_s = now_s + wait_s
            print(f"facenet: {refusal.detail} Waiting {wait_s:g} s.", file=sys.stderr)  # noqa: T201  # its output


class Connection:
    """Sends requests. Safe to use from several threads at once. Use it as a context manager.

    key: the access key. "": no key. None means the file that FACENET_KEY_FILE names, or the variable FACENET_KEY, or no
    key. Raises KeyUnreadable of the client, and ValueError for what is no URL.
    patience: says how long it waits while the service refuses every request because it is busy.
    """

    def __init__(self, url: str, key: str | None = None, patience: Patience | None = None) -> None:
        self._url = url
        self._patience = patience or Patience()
        self._client = facenet_client.Client(url, key=key, retry_s=math.inf, on_wait=self._patience.wait)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def call(self, method: str, path: str, **parts: Any) -> JsonObject:  # noqa: ANN401  # the arguments of httpx
        """Send a request, again while the service is busy, and return the JSON of the answer.

        Raises RequestRefused, KeyNeeded, ServiceBusy, or Unreachable if no service answers.
        """
        return self._send(Call(method, path, _json_object, parts))

    def send_lines(self, path: str, lines: bytes) -> list[JsonObject]:
        """Send lines of NDJSON, and return the JSON of each line of the answer. Repeats and raises as `call` does."""
        headers = {"Content-Type": "application/x-ndjson"}
        return self._send(Call("POST", path, _json_lines, {"content": lines, "headers": headers}))

    def call_once(self, method: str, path: str, **parts: Any) -> JsonObject:  # noqa: ANN401  # the arguments of httpx
        """Send a request that must not be repeated, and return the JSON of the answer. Raises as `call` does."""
        return self._send(Call(method, path, _json_object, parts, is_repeatable=False))

    def delete(self, path: str) -> str | None:
        """Delete what is at a path. Return the receipt, if there is one. Repeats and raises as `call` does."""
        return self._send(Call("DELETE", path, read_receipt))

    def download(self, method: str, path: str, target: Sink) -> None:
        """Send a request, and write the body of the answer to a file. Raises RequestRefused, Unreachable or OSError."""
        with self._command_errors():
            self._client.download(Download(method, path, target))

    def _send(self, call: Call[T]) -> T:
        with self._command_errors():
            return self._client.send(call)

    @contextmanager
    def _command_errors(self) -> Iterator[None]:
        """Raise the errors of the client as those of a command."""
        try:
            yield
            self._patience.note_answer()
        except facenet_client.RequestRefused as error:
            if error.code not in BUSY_CODES:
                self._patience.note_answer()
            raise _refusal(error) from None
        except facenet_client.Unreachable:
            raise Unreachable(
                f"No service answers at {self._url}. Start it with make run, or pass its address with --url."
                f"{advice_on_tls(self._url)}"
            ) from None
        except facenet_client.UnexpectedAnswer as error:
            raise RequestRefused({"code": "unknown", "detail": str(error)}) from None


def _refusal(error: facenet_client.RequestRefused) -> RequestRefused | KeyNeeded:
    if error.code == "key_missing":
        return KeyNeeded()
    return RequestRefused(error.problem.model_dump(mode="json"), error.request_id)


def _json_object(response: httpx.Response) -> JsonObject:
    """Return the JSON object of an answer. Raises ValueError for something else. An empty answer has no fields."""
    return _parse(response.content or b"{}")


def _json_lines(response: httpx.Response) -> list[JsonObject]:
    return [_parse(line) for line in response.content.splitlines()]


def _parse(text: bytes) -> JsonObject:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError(f"A JSON object was expected, not {type(content).__name__}.")  # noqa: TRY004  # `read` of a call
    return content
