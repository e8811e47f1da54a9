"""The HTTP protocol: heads that are too long, `Expect: 100-continue`, chunked bodies, answers without a body."""

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


def test_a_request_that_is_not_http_is_400(service: RunningService) -> None:
    assert send_and_receive(service, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400")


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
