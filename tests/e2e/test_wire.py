"""What only shows on the wire: heads without end, bodies that wait to be asked for, answers without a body."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from tests.served import Served


@contextmanager
def connected(served: Served) -> Iterator[socket.socket]:
    where = urlsplit(served.url)
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
        yield connection


def exchange(served: Served, *parts: bytes) -> bytes:
    """All that comes back until the service ends the connection; what it no longer takes is not sent."""
    with connected(served) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except ConnectionError:
            return b""
        return b"".join(iter(lambda: connection.recv(2**16), b""))


def test_head_has_headers_and_no_body(served: Served) -> None:
    answer = exchange(served, b"HEAD /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"content-length: 18" in head
    assert body == b""


@pytest.mark.parametrize(
    "start", [b"GET /livez?", b"GET /livez HTTP/1.1\r\nA: ", b"GET /livez HTTP/1.1\r\n" + b"a: b\r\n" * 50_000]
)
def test_a_head_without_end_is_cut(served: Served, start: bytes) -> None:
    with connected(served) as connection, pytest.raises(ConnectionError):
        connection.sendall(start + b"a" * 2**26)
    assert httpx.get(f"{served.url}/livez").status_code == 200


def test_what_is_not_http_is_400(served: Served) -> None:
    assert exchange(served, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_a_body_that_waits_to_be_asked_for_is_asked_for(served: Served) -> None:
    body = b'{"image": {}}'
    head = b"POST /identify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    with connected(served) as connection:
        connection.sendall(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert connection.recv(2**16) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 422


def test_a_body_that_is_too_large_is_not_asked_for(served: Served) -> None:
    head = b"POST /identify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    with connected(served) as connection:
        connection.sendall(head + b"Expect: 100-continue\r\nContent-Length: 100000000\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, json.load(answer)["code"]) == (413, "body_too_large")


def test_an_upload_in_small_chunks_is_read(served: Served) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"image": {"base64": "'
        yield from (b"AAAA" for _ in range(10_000))
        yield b'"}}'

    answer = httpx.post(f"{served.url}/identify", content=chunks(), headers={"content-type": "application/json"})
    assert answer.json()["code"] == "unreadable_image"


def test_an_encoded_slash_is_no_way_around(served: Served) -> None:
    answer = exchange(served, b"GET /collections/..%2flivez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404")
