import socketserver
import threading
from collections.abc import Iterator
from email import message_from_bytes

import pytest

from benchmarks import load


class ClosingServer(socketserver.StreamRequestHandler):
    """Answers one request of a connection with its number, as gunicorn does, and leaves without an answer at times."""

    requests = 0

    def handle(self) -> None:
        length = 0
        while (line := self.rfile.readline().lower()) not in {b"\r\n", b""}:
            length = int(line.partition(b":")[2]) if line.startswith(b"content-length") else length
        body = self.rfile.read(length)
        if b"leave" not in body:
            status = b"400 Bad Request" if b"refuse" in body else b"200 OK"
            self.wfile.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody")


@pytest.fixture
def url() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), ClosingServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_client_connects_again_after_the_server_closed_the_connection(url: str) -> None:
    requests = [load.encode_form(url, "/", [("text", "accept")])] * 3
    assert [answer.status for answer in load.exchange_all(url, requests, 1).answers] == [200, 200, 200]


def test_refusals_and_broken_connections_are_counted_and_have_no_latency(url: str) -> None:
    requests = [load.encode_form(url, "/", [("text", text)]) for text in ("accept", "refuse", "leave")]
    exchange = load.exchange_all(url, requests, 2)
    assert [answer.status for answer in exchange.answers] == [200, 400, load.NO_ANSWER]
    assert (exchange.refused, len(exchange.latencies_s)) == (2, 1)


def test_a_refusal_is_an_error_where_all_requests_must_be_accepted(url: str) -> None:
    with pytest.raises(ValueError, match="400: body"):
        load.send_all(url, [load.encode_form(url, "/", [("text", "refuse")])], 1)


def test_a_form_has_files_and_texts() -> None:
    request = load.encode_form("http://host", "/verify", [("name", "a"), ("file", b"\x00photograph")])
    head, _, body = request.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.lower()
    form = message_from_bytes(head.partition(b"\r\n")[2] + b"\r\n\r\n" + body)
    parts = [(part.get_param("name", header="content-disposition"), part.get_filename()) for part in form.walk()][1:]
    assert parts == [("name", None), ("file", "file")]
