"""How it ends: no longer ready, still reached for a while, then finished, closed and 0."""

import signal
import socket
import subprocess
import time
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from tests.served import STARTS_WITHIN_S, STOPS_WITHIN_S, Served, command, environment, serve

BOUNDARY = "half"


def test_it_is_not_ready_and_still_answers_while_it_drains(models_dir: Path, tmp_path: Path, obama: bytes) -> None:
    with serve(tmp_path / "data", models_dir, FACE_DRAIN_DELAY_S="600") as served:
        served.process.send_signal(signal.SIGTERM)
        served.wait_for('"event": "draining"')
        ready = httpx.get(f"{served.url}/readyz")
        assert (ready.status_code, ready.json()["code"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "ending")
        assert httpx.get(f"{served.url}/livez").status_code == HTTPStatus.OK
        answer = httpx.post(f"{served.url}/embed", files={"images": obama})
        assert answer.status_code == HTTPStatus.OK
        served.wait_until(lambda: httpx.get(f"{served.url}/livez").headers.get("connection") == "close")
        assert served.stop() == 0, "a second SIGTERM does not wait"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_an_enrolment_that_was_begun_is_finished(
    how: signal.Signals, models_dir: Path, tmp_path: Path, obama: bytes
) -> None:
    subject = "collections/default/subjects/obama"
    with serve(tmp_path / "data", models_dir) as served:
        httpx.put(f"{served.url}/{subject}", json={})
        with begun(served, f"/{subject}/faces", form := multipart(obama)) as connection:
            served.process.send_signal(how)
            wait_until_refused(served)
            connection.sendall(form)
            assert connection.recv(2**16).startswith(b"HTTP/1.1 201 ")
        assert served.process.wait(STOPS_WITHIN_S) == 0
    with serve(tmp_path / "data", models_dir) as served:
        assert len(httpx.get(f"{served.url}/{subject}/faces").json()["items"]) == 1


def test_a_start_can_be_ended(models_dir: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = environment(tmp_path / "data", models_dir, FACE_PORT=str(port))
    process = subprocess.Popen(command("serve"), env=settings, stderr=subprocess.PIPE, text=True)
    wait_until_listening(port)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=STOPS_WITHIN_S)
    assert process.returncode == 0
    assert "Traceback" not in told


def multipart(photograph: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="images"; filename="a.jpg"\r\n\r\n'
    return head.encode() + photograph + f"\r\n--{BOUNDARY}--\r\n".encode()


def begun(served: Served, path: str, form: bytes) -> socket.socket:
    """A request whose head was read, and whose body is waited for: the service has said 100."""
    address = httpx.URL(served.url)
    connection = socket.create_connection((address.host, address.port), STOPS_WITHIN_S)
    head = f"POST {path} HTTP/1.1\r\nHost: service\r\nExpect: 100-continue\r\nContent-Length: {len(form)}\r\n"
    connection.sendall(f"{head}Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n".encode())
    assert connection.recv(2**10).startswith(b"HTTP/1.1 100 ")
    return connection


def wait_until_refused(served: Served) -> None:
    address = httpx.URL(served.url)
    until = time.monotonic() + STOPS_WITHIN_S
    while time.monotonic() < until:
        try:
            socket.create_connection((address.host, address.port), STOPS_WITHIN_S).close()
        except ConnectionError:  # refused, or reset where it waited to be accepted
            return
    pytest.fail("it still takes connections")


def wait_until_listening(port: int) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), STARTS_WITHIN_S).close()
        except ConnectionRefusedError:
            continue
        return
    pytest.fail("it never listened")
