"""The HTTP protocol: bytes that are no request, heads that are too long, `Expect: 100-continue`, chunked bodies."""

import json
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.support.raw_requests import chunk, form_of, head_of, open_connection, read_answer, send_and_receive
from tests.support.running_service import RunningService
from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.slow


def test_head_has_headers_and_no_body(service: RunningService) -> None:
    answer = send_and_receive(service, b"HEAD /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"content-length: 18" in head
    assert body == b""


@pytest.mark.parametrize(
    "start", [b"GET /livez?", b"GET /livez HTTP/1.1\r\nA: ", b"GET /livez HTTP/1.1\r\n" + b"a: b\r\n" * 50_000]
)
def test_the_connection_of_an_endless_head_is_closed(service: RunningService, start: bytes) -> None:
    with open_connection(service) as connection, pytest.raises(ConnectionError):
        connection.sendall(start + b"a" * 2**26)
    assert httpx.get(f"{service.url}/livez").status_code == 200


def test_the_refusal_of_a_large_head_is_read_by_a_client_that_sends_all_of_it_first(service: RunningService) -> None:
    head = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 2**21 + b"\r\n\r\n"
    for _ in range(10):  # a connection that is closed too early is reset now and then only
        with open_connection(service) as connection:
            connection.sendall(head)
            answer = read_answer(connection)
            assert (answer.status, answer.code) == (431, "head_too_large")
            assert connection.recv(1) == b"", "the service closes the connection"


def test_a_refused_client_that_stays_is_disconnected(service: RunningService) -> None:
    with open_connection(service) as connection:
        connection.sendall(b"no request\r\n\r\n")
        assert read_answer(connection).status == 400
        with pytest.raises(ConnectionError):
            _send_for_10_s(connection)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01 hello\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        b"POST /verify HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /verify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /verify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
    ids=["TLS", "HTTP/2", "a bad header", "a negative length", "two lengths", "a bad chunk"],
)
def test_bytes_that_are_not_a_request_are_a_problem(service: RunningService, request_bytes: bytes) -> None:
    with open_connection(service) as connection:
        connection.sendall(request_bytes)
        answer = read_answer(connection)
        assert (answer.status, answer.code) == (400, "invalid_http")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert connection.recv(1) == b"", "the service closes the connection"


def test_a_bad_request_does_not_take_the_answer_of_the_request_before_it(service: RunningService) -> None:
    form = form_of(png_without_face())
    answer = send_and_receive(service, head_of(len(form)) + form + b"\x00\x01\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["faces"] == []


@pytest.mark.parametrize(
    "hosts",
    ["", "Host: localhost\r\nHost: localhost\r\n", "Host:\r\n", "Host: a b\r\n", "Host: u@localhost\r\n"],
    ids=["none", "two", "empty", "with a space", "with a user"],
)
def test_a_request_without_exactly_one_valid_host_is_400(service: RunningService, hosts: str) -> None:
    with open_connection(service) as connection:
        connection.sendall(f"GET /livez HTTP/1.1\r\n{hosts}\r\n".encode())
        answer = read_answer(connection)
    assert (answer.status, answer.code) == (400, "invalid_host")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_probe_of_http_1_0_needs_no_host(service: RunningService) -> None:
    assert send_and_receive(service, b"GET /livez HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_client_that_has_closed_its_side_gets_its_answer(service: RunningService, version: str) -> None:
    form = form_of(png_without_face())
    with open_connection(service) as connection:
        connection.sendall(head_of(len(form), version=version) + form)
        connection.shutdown(socket.SHUT_WR)
        answer = read_answer(connection)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert connection.recv(1) == b"", "the service closes the connection"


def test_a_client_that_has_closed_its_side_gets_the_answers_of_all_its_requests(service: RunningService) -> None:
    form = form_of(png_without_face())
    request = head_of(len(form)) + form
    with open_connection(service) as connection:
        connection.sendall(request * 3)
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(2**16), b""))
    assert received.count(b"HTTP/1.1 200 ") == 3


def test_a_body_that_is_cut_off_has_no_answer(service: RunningService) -> None:
    with open_connection(service) as connection:
        connection.sendall(head_of(1000) + b"--x\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def test_expect_100_continue_is_answered_with_100(service: RunningService) -> None:
    body = b'{"image": {}}'
    head = b"POST /identify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    with open_connection(service) as connection:
        connection.sendall(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert connection.recv(2**16) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        answer = read_answer(connection)
        assert answer.status == 422


def test_expect_100_continue_for_a_body_that_is_too_large_is_answered_with_413(service: RunningService) -> None:
    head = b"POST /identify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    with open_connection(service) as connection:
        connection.sendall(head + b"Expect: 100-continue\r\nContent-Length: 100000000\r\n\r\n")
        answer = read_answer(connection)
        assert (answer.status, answer.code) == (413, "body_too_large")


def test_an_upload_in_small_chunks_is_read(service: RunningService) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"image": {"base64": "'
        yield from (b"AAAA" for _ in range(10_000))
        yield b'"}}'

    answer = httpx.post(f"{service.url}/identify", content=chunks(), headers={"content-type": "application/json"})
    assert answer.json()["code"] == "unreadable_image"


def test_a_large_upload_in_tiny_chunks_is_read(service: RunningService) -> None:
    """The lengths of the chunks take more bytes than the headers may."""
    form = form_of(png_without_face() + bytes(2**20))
    chunks = b"".join(chunk(form[start : start + 8]) for start in range(0, len(form), 8))
    answer = send_and_receive(service, head_of(None, Connection="close"), chunks, chunk(b""))
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_client_of_http_1_0_gets_its_answer_and_the_connection_is_closed(service: RunningService) -> None:
    form = form_of(png_without_face())
    answer = send_and_receive(service, head_of(len(form), version="1.0"), form)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer
    assert b"chunked" not in answer


def test_an_encoded_slash_does_not_lead_to_another_route(service: RunningService) -> None:
    answer = send_and_receive(
        service, b"GET /collections/..%2flivez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 404")


def _send_for_10_s(connection: socket.socket) -> None:
    for _ in range(100):
        connection.sendall(b"a")
        time.sleep(0.1)
