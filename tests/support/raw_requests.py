"""HTTP requests as bytes on a socket, for what an HTTP library does not send."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlsplit

from tests.support.running_service import RunningService

TIMEOUT_S = 30
BOUNDARY = "x"


@contextmanager
def open_connection(service: RunningService) -> Iterator[socket.socket]:
    """Connect to the service."""
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), timeout=TIMEOUT_S) as connection:
        yield connection


def send_and_receive(service: RunningService, *parts: bytes) -> bytes:
    """Send the parts, and return all that the service sends until it closes the connection.

    If it closes the connection before it has read all parts, its answer may be lost. Then nothing is returned.
    """
    with open_connection(service) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            return b"".join(iter(lambda: connection.recv(2**16), b""))
        except ConnectionError:
            return b""


@dataclass(frozen=True)
class Answer:
    """An answer that was read to its end."""

    status: int
    headers: Message
    body: bytes

    @property
    def code(self) -> str:
        """The code of a problem."""
        return str(json.loads(self.body)["code"])


def read_answer(connection: socket.socket) -> Answer:
    """Wait for the answer."""
    with http.client.HTTPResponse(connection) as response:
        response.begin()
        return Answer(response.status, response.headers, response.read())


def form_of(photograph: bytes, field: str = "image") -> bytes:
    """Return a form with one file. Its boundary is BOUNDARY."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="a"\r\n\r\n'
    return head.encode() + photograph + f"\r\n--{BOUNDARY}--\r\n".encode()


def head_of(length: int | None, path: str = "/identify", version: str = "1.1", **headers: str) -> bytes:
    """Return the head of a POST with a form. length: of its body, None for a body in chunks."""
    body = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = [
        f"POST {path} HTTP/{version}",
        "Host: localhost",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
        body,
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def chunk(data: bytes) -> bytes:
    """Return one chunk of a body in chunks. The chunk without data is the end of the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)
