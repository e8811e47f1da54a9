"""Connections that send nothing do not keep others out, and never take the last descriptors."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.support.raw_requests import form_of, head_of, open_connection, read_answer, send_and_receive
from tests.support.running_service import RunningService, run_service
from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.slow

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOW_HEAD = b"GET /livez HTTP/1.1\r\nA: "
FORM = form_of(png_without_face())
LIMITS = {"FACE_LIMITS__CONNECTIONS": "16", "FACE_LIMITS__CONNECTIONS_PER_ADDRESS": "8"}
PROBES = ("/livez", "/readyz", "/metrics")


@pytest.fixture
def small_service(models_dir: Path, tmp_path: Path) -> Iterator[RunningService]:
    """Yield a service with 16 connections, 8 of them from one address, and 12 running requests."""
    with run_service(tmp_path / "data", models_dir, **LIMITS) as service:
        yield service


@pytest.fixture(scope="module")
def service_with_few_descriptors(
    models_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    wrapper = ("sh", "-c", 'ulimit -n 256; exec "$@"', "sh")
    folder = tmp_path_factory.mktemp("home") / "data"
    with run_service(folder, models_dir, *wrapper, FACE_LIMITS__CONNECTIONS_PER_ADDRESS="2048") as service:
        yield service


def connect_from(service: RunningService, address: str) -> socket.socket:
    """Connect from an address of the loopback network."""
    port = httpx.URL(service.url).port
    return socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(address, 0))


def identify(service: RunningService) -> int:
    with open_connection(service) as connection:
        connection.sendall(head_of(len(FORM)) + FORM)
        return read_answer(connection).status


@pytest.mark.parametrize("start", [b"", SLOW_HEAD])
def test_connections_without_a_request_do_not_keep_a_client_out(small_service: RunningService, start: bytes) -> None:
    with ExitStack() as opened:
        for _ in range(40):
            opened.enter_context(open_connection(small_service)).sendall(start)
            assert identify(small_service) == 200


def test_the_connection_that_has_waited_longest_makes_room(small_service: RunningService) -> None:
    with ExitStack() as opened:
        connections = [opened.enter_context(open_connection(small_service)) for _ in range(8)]
        for connection in connections:  # after its answer, a connection waits again
            connection.sendall(LIVEZ)
            assert read_answer(connection).status == 200
        connections[0].sendall(LIVEZ)
        assert read_answer(connections[0]).status == 200
        assert identify(small_service) == 200
        assert connections[1].recv(1) == b""
        connections[0].sendall(LIVEZ)
        assert read_answer(connections[0]).status == 200


def test_a_connection_with_a_request_is_not_closed_for_another(small_service: RunningService) -> None:
    with ExitStack() as opened:
        uploads = [opened.enter_context(open_connection(small_service)) for _ in range(8)]
        for upload in uploads:
            upload.sendall(head_of(len(FORM), Expect="100-continue"))
            assert upload.recv(2**10).startswith(b"HTTP/1.1 100 ")
        assert b'"code":"overloaded"' in send_and_receive(small_service)
        for upload in uploads:
            upload.sendall(FORM)
            assert read_answer(upload).status == 200
    assert identify(small_service) == 200


def test_one_address_does_not_keep_others_out(small_service: RunningService) -> None:
    with ExitStack() as opened:
        for _ in range(8):
            upload = opened.enter_context(open_connection(small_service))
            upload.sendall(head_of(1000, Expect="100-continue"))
            assert upload.recv(2**10).startswith(b"HTTP/1.1 100 ")
        other = opened.enter_context(connect_from(small_service, "127.0.0.2"))
        other.sendall(head_of(len(FORM)) + FORM)
        assert read_answer(other).status == 200


def test_probes_are_answered_when_too_many_requests_run(small_service: RunningService) -> None:
    with ExitStack() as opened:
        for number in range(12):
            upload = opened.enter_context(connect_from(small_service, f"127.0.0.{10 + number % 3}"))
            upload.sendall(head_of(1000, Expect="100-continue"))
            assert upload.recv(2**10).startswith(b"HTTP/1.1 100 ")
        refused = httpx.get(f"{small_service.url}/collections")
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        assert [httpx.get(f"{small_service.url}{path}").status_code for path in PROBES] == [200, 200, 200]


def test_silent_connections_never_take_the_last_descriptors(service_with_few_descriptors: RunningService) -> None:
    service = service_with_few_descriptors
    with ExitStack() as opened:
        for _ in range(400):
            opened.enter_context(open_connection(service))
        assert httpx.put(f"{service.url}/collections/staff").status_code == 201
        assert identify(service) == 200
        assert [httpx.get(f"{service.url}{path}").status_code for path in PROBES] == [200, 200, 200]
        descriptors = list(Path(f"/proc/{service.process.pid}/fd").iterdir())
        assert len(descriptors) < 256


def test_the_limit_of_descriptors_is_raised(models_dir: Path, tmp_path: Path) -> None:
    wrapper = ("sh", "-c", 'ulimit -S -n 256; exec "$@"', "sh")
    with run_service(tmp_path / "data", models_dir, *wrapper) as service:
        limits = Path(f"/proc/{service.process.pid}/limits").read_text("ascii")
    (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
    soft, hard = line.removeprefix("Max open files").split()[:2]
    assert soft == hard != "256"


def test_a_client_that_does_not_read_its_answers_is_disconnected(models_dir: Path, tmp_path: Path) -> None:
    request = b"GET /static-offline-docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with run_service(tmp_path / "data", models_dir, FACE_KEEP_ALIVE_S="1") as service:
        with open_connection(service) as connection:
            connection.sendall(request * 20)  # about 30 MB: more than the buffers of the system hold
            service.wait_until(lambda: open_connections(service) == 1)
            assert connection.recv(1) != b""
        assert httpx.get(f"{service.url}/livez").status_code == 200


def open_connections(service: RunningService) -> int:
    """Return how many connections are open, the one that asks included."""
    lines = httpx.get(f"{service.url}/metrics").text.splitlines()
    return int(float(next(line for line in lines if line.startswith("face_connections ")).split()[1]))
