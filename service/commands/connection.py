"""The connection of the commands to a running service: the client, with the errors and messages of a command."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

import httpx

import facenet_client
from facenet_client.calls import Call, Download
from facenet_client.client import TIMEOUT_S
from facenet_client.environment import advice_on_tls, find_service
from facenet_client.operations.service import Service
from facenet_client.sending.retries import BUSY_CODES, Retries
from facenet_client.sending.transport import Transport
from service.domain.command_errors import KeyNeeded, RequestRefused, ServiceBusy, Unreachable

GIVE_UP_S = 300.0
"""How long a command waits while the service refuses every request because it is busy. It is longer than a minute of
the rate of a key, and than the start of a large gallery."""

SAID_WAIT_S = 2.0
"""A longer wait is said, so that nobody thinks that the command hangs."""

T = TypeVar("T")


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


class Connection(Service[Transport]):
    """A client of a running service, as `facenet_client.Client` is one, for a command. Use it as a context manager.

    It waits while the service is busy. Its operations raise the errors of a command: RequestRefused, KeyNeeded,
    ServiceBusy, or Unreachable if no service answers. Safe to use from several threads at once.

    key: the access key. "": no key. None means the file that FACENET_KEY_FILE names, or the variable FACENET_KEY, or no
    key. Raises KeyUnreadable of the client, and ValueError for what is no URL.
    patience: says how long it waits while the service refuses every request because it is busy.
    """

    def __init__(self, url: str, key: str | None = None, patience: Patience | None = None) -> None:
        http = httpx.Client(**find_service(url, key).http_options, timeout=TIMEOUT_S)
        super().__init__(_CommandTransport(http, patience or Patience()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()

    def send(self, call: Call[T]) -> T:
        """Send a call for which there is no operation, and return its result."""
        return self._transport.send(call)

    def download(self, download: Download) -> None:
        """Write an answer to a file for which there is no operation. Raises OSError too."""
        self._transport.download(download)


class _CommandTransport(Transport):
    """Sends calls. It raises the errors of the client as those of a command."""

    def __init__(self, http: httpx.Client, patience: Patience) -> None:
        super().__init__(http, Retries(math.inf, patience.wait))
        self._patience = patience

    def send(self, call: Call[T]) -> T:
        with self._command_errors():
            return super().send(call)

    def download(self, download: Download) -> None:
        with self._command_errors():
            super().download(download)

    @contextmanager
    def _command_errors(self) -> Iterator[None]:
        try:
            yield
            self._patience.note_answer()
        except facenet_client.RequestRefused as error:
            if error.code not in BUSY_CODES:
                self._patience.note_answer()
            raise _refusal(error) from None
        except facenet_client.Unreachable:
            raise Unreachable(
                f"No service answers at {self.address}. Start it with make run, or pass its address with --url."
                f"{advice_on_tls(self.address)}"
            ) from None
        except facenet_client.UnexpectedAnswer as error:
            raise RequestRefused({"code": "unknown", "detail": str(error)}) from None


def _refusal(error: facenet_client.RequestRefused) -> RequestRefused | KeyNeeded:
    if error.code == "key_missing":
        return KeyNeeded()
    return RequestRefused(error.problem.model_dump(mode="json"), error.request_id)
