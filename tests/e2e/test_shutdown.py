"""The shutdown: the service reports not ready, still answers for a while, finishes its requests, and ends with 0."""

import signal
import socket
import subprocess
import time
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from tests.support.running_service import (
    START_TIMEOUT_S,
    STOP_TIMEOUT_S,
    RunningService,
    facenet_command,
    run_service,
    service_environment,
)

pytestmark = pytest.mark.slow

BOUNDARY = "half"


def test_the_service_is_not_ready_and_still_answers_while_it_drains(
    models_dir: Path, tmp_path: Path, obama: bytes
) -> None:
    with run_service(tmp_path / "data", models_dir, FACE_DRAIN_DELAY_S="600") as service:
        service.process.send_signal(signal.SIGTERM)
        service.wait_for_log('"event": "draining"')
        ready = httpx.get(f"{service.url}/readyz")
        assert (ready.status_code, ready.json()["code"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "ending")
        assert httpx.get(f"{service.url}/livez").status_code == HTTPStatus.OK
        answer = httpx.post(f"{service.url}/embed", files={"images": obama})
        assert answer.status_code == HTTPStatus.OK
        service.wait_until(lambda: httpx.get(f"{service.url}/livez").headers.get("connection") == "close")
        assert service.stop() == 0, "a second SIGTERM does not wait"


@pytest.mark.parametrize("end_signal", [signal.SIGTERM, signal.SIGINT])
def test_a_started_enrolment_is_finished(
    end_signal: signal.Signals, models_dir: Path, tmp_path: Path, obama: bytes
) -> None:
    subject = "collections/default/subjects/obama"
    with run_service(tmp_path / "data", models_dir) as service:
        httpx.put(f"{service.url}/{subject}", json={})
        with start_request(service, f"/{subject}/faces", form := encode_form(obama)) as connection:
            service.process.send_signal(end_signal)
            wait_until_connections_are_refused(service)
            connection.sendall(form)
            assert connection.recv(2**16).startswith(b"HTTP/1.1 201 ")
        assert service.process.wait(STOP_TIMEOUT_S) == 0
    with run_service(tmp_path / "data", models_dir) as service:
        assert len(httpx.get(f"{service.url}/{subject}/faces").json()["items"]) == 1


def test_sigterm_during_the_start_ends_the_service(models_dir: Path, tmp_path: Path) -> None:
    with socket.socket() as unused_socket:
        unused_socket.bind(("127.0.0.1", 0))
        port = unused_socket.getsockname()[1]
    settings = service_environment(tmp_path / "data", models_dir, FACE_PORT=str(port))
    process = subprocess.Popen(facenet_command("serve"), env=settings, stderr=subprocess.PIPE, text=True)
    wait_until_listening(port)
    process.send_signal(signal.SIGTERM)
    _, error_output = process.communicate(timeout=STOP_TIMEOUT_S)
    assert process.returncode == 0
    assert "Traceback" not in error_output


def encode_form(photograph: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="images"; filename="a.jpg"\r\n\r\n'
    return head.encode() + photograph + f"\r\n--{BOUNDARY}--\r\n".encode()


def start_request(service: RunningService, path: str, form: bytes) -> socket.socket:
    """Send the head of a request. Return the connection once the service has answered 100 and waits for the body."""
    address = httpx.URL(service.url)
    connection = socket.create_connection((address.host, address.port), STOP_TIMEOUT_S)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {len(form)}\r\n"
    connection.sendall(f"{head}Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n".encode())
    assert connection.recv(2**10).startswith(b"HTTP/1.1 100 ")
    return connection


def wait_until_connections_are_refused(service: RunningService) -> None:
    address = httpx.URL(service.url)
    deadline_s = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline_s:
        try:
            socket.create_connection((address.host, address.port), STOP_TIMEOUT_S).close()
        except ConnectionError:  # refused, or reset while it waited to be accepted
            return
    pytest.fail("the service still accepts connections")


def wait_until_listening(port: int) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        try:
            socket.create_connection(("127.0.0.1", port), START_TIMEOUT_S).close()
        except ConnectionRefusedError:
            continue
        return
    pytest.fail("the service does not listen")
