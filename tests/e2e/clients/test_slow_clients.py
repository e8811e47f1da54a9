"""Slow, silent and many uploads: bytes count when they come, and an upload may take as long as its bytes flow."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.support.raw_requests import Answer, chunk, form_of, head_of, open_connection, read_answer
from tests.support.running_service import STOP_TIMEOUT_S, RunningService, run_service
from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.slow

PAUSE_S = 0.1
SHORT_SPANS = {
    "FACE_LIMITS__REQUEST_TIMEOUT_S": "1",
    "FACE_LIMITS__UPLOAD_IDLE_S": "0.7",
    "FACE_LIMITS__UPLOAD_SPAN_S": "1.5",
    "FACE_LIMITS__UPLOAD_BYTES_PER_S": "1000",
    "FACE_LIMITS__IMAGES_IN_FLIGHT": "1",
    "FACE_KEEP_ALIVE_S": "1",
}
MIB = 2**20


@pytest.fixture(scope="module")
def impatient_service(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with run_service(tmp_path_factory.mktemp("home") / "data", models_dir, **SHORT_SPANS) as service:
        yield service


@pytest.fixture(scope="module")
def small_service(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Yield a service that keeps at most 1 MiB of all bodies together."""
    limits = {"FACE_LIMITS__BODY_BYTES": str(MIB), "FACE_LIMITS__BODY_BYTES_IN_FLIGHT": str(MIB)}
    with run_service(tmp_path_factory.mktemp("home") / "data", models_dir, **limits) as service:
        yield service


def identify(service: RunningService) -> int:
    return httpx.post(f"{service.url}/identify", files={"image": png_without_face()}, timeout=30).status_code


def upload_slowly(service: RunningService, form: bytes, bytes_per_pause: int) -> Answer:
    """Send some bytes, pause, and so on until the answer comes."""
    with open_connection(service) as connection:
        connection.sendall(head_of(len(form)))
        answers: list[Answer] = []
        reader = threading.Thread(target=lambda: answers.append(read_answer(connection)))
        reader.start()
        for start in range(0, len(form), bytes_per_pause):
            connection.sendall(form[start : start + bytes_per_pause])
            reader.join(PAUSE_S)  # the pause, which an answer ends
            if answers:
                break
        reader.join()
        return answers[0]


@pytest.mark.parametrize("length_is_announced", [True, False])
def test_twelve_uploads_at_once_are_answered(service: RunningService, *, length_is_announced: bool) -> None:
    form = form_of(png_without_face() + bytes(20_000))
    with ExitStack() as opened:
        connections = [opened.enter_context(open_connection(service)) for _ in range(12)]
        for connection in connections:
            connection.sendall(head_of(len(form) if length_is_announced else None))
            connection.sendall(form[:10_000] if length_is_announced else chunk(form[:10_000]))
        for connection in connections:
            connection.sendall(form[10_000:] if length_is_announced else chunk(form[10_000:]) + chunk(b""))
        assert [read_answer(connection).status for connection in connections] == [200] * 12


def test_connections_that_announce_a_large_body_and_send_nothing_do_not_turn_others_away(
    service: RunningService,
) -> None:
    with ExitStack() as opened:
        for _ in range(40):
            opened.enter_context(open_connection(service)).sendall(head_of(32 * MIB))
        assert identify(service) == 200


@pytest.mark.parametrize("length_is_announced", [True, False])
def test_an_upload_that_brings_too_many_bytes_is_503_and_the_others_are_finished(
    small_service: RunningService, *, length_is_announced: bool
) -> None:
    half = 600_000
    form = form_of(png_without_face() + bytes(half))
    with open_connection(small_service) as first, open_connection(small_service) as second:
        first.sendall(head_of(len(form)) + form[:half])
        time_limit_s = time.monotonic() + STOP_TIMEOUT_S
        while identify_large(small_service, half) == 200:  # until the bytes of the first have come
            assert time.monotonic() < time_limit_s
        second.sendall(head_of(len(form) if length_is_announced else None))
        second.sendall(form[:half] if length_is_announced else chunk(form[:half]))
        refusal = read_answer(second)
        assert (refusal.status, refusal.code) == (503, "overloaded")
        assert refusal.headers["retry-after"] == "1"
        assert refusal.headers["connection"] == "close"
        assert identify(small_service) == 200
        first.sendall(form[half:])
        assert read_answer(first).status == 200
    assert identify_large(small_service, half) == 200


def test_of_many_large_uploads_at_once_some_are_answered(small_service: RunningService) -> None:
    """A refusal frees bytes for the others. All of them would be refused if it freed them too late."""
    form = form_of(png_without_face() + bytes(900_000))
    parts = [chunk(form[start : start + 2**14]) for start in range(0, len(form), 2**14)]
    with ExitStack() as opened:
        connections = [opened.enter_context(open_connection(small_service)) for _ in range(10)]
        for connection in connections:
            connection.sendall(head_of(None))
        for part in [*parts, chunk(b"")]:
            for connection in connections:
                connection.sendall(part)
        answers = [read_answer(connection) for connection in connections]
    assert {answer.status for answer in answers} == {200, 503}


def identify_large(service: RunningService, padding: int) -> int:
    image = png_without_face() + bytes(padding)
    return httpx.post(f"{service.url}/identify", files={"image": image}, timeout=30).status_code


def test_an_upload_may_take_longer_than_the_time_limit_of_a_request(impatient_service: RunningService) -> None:
    form = form_of(png_without_face() + bytes(10_000))
    start_s = time.monotonic()
    assert upload_slowly(impatient_service, form, len(form) // 20).status == 200
    assert time.monotonic() - start_s > 1.5


def test_an_upload_of_a_byte_now_and_then_is_ended(impatient_service: RunningService) -> None:
    answer = upload_slowly(impatient_service, form_of(png_without_face()), 1)
    assert (answer.status, answer.headers["connection"]) == (408, "close")


@pytest.mark.parametrize("received", [b"", b"--x\r\n"])
def test_an_upload_that_stops_is_ended(impatient_service: RunningService, received: bytes) -> None:
    with open_connection(impatient_service) as connection:
        connection.sendall(head_of(1000) + received)
        answer = read_answer(connection)
        assert (answer.status, answer.code) == (408, "upload_too_slow")
        assert connection.recv(1) == b"", "the service closes the connection"


def test_an_upload_in_progress_does_not_count_as_an_image_in_flight(impatient_service: RunningService) -> None:
    with open_connection(impatient_service) as connection:
        connection.sendall(head_of(1000) + b"--x\r\n")
        assert identify(impatient_service) == 200


@pytest.mark.parametrize("start", [b"", b"\r\n", b"POST /identify HTTP/1.1\r\nHost: localhost\r\n"])
def test_a_connection_that_sends_no_whole_head_is_closed(impatient_service: RunningService, start: bytes) -> None:
    with open_connection(impatient_service) as connection:
        connection.sendall(start)
        assert connection.recv(1) == b""


@pytest.mark.parametrize("rest", [b"", b"\r\n"])
def test_an_idle_connection_is_closed_after_its_answer(impatient_service: RunningService, rest: bytes) -> None:
    with open_connection(impatient_service) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" + rest)
        assert read_answer(connection).body == b'{"status":"alive"}'
        assert connection.recv(1) == b""


def test_an_upload_that_does_not_end_is_answered_when_the_service_stops(models_dir: Path, tmp_path: Path) -> None:
    settings = {"FACE_LIMITS__REQUEST_TIMEOUT_S": "1", "FACE_LIMITS__UPLOAD_IDLE_S": "60"}
    with run_service(tmp_path / "data", models_dir, **settings) as service, open_connection(service) as connection:
        connection.sendall(head_of(1000, Expect="100-continue"))
        assert connection.recv(2**10).startswith(b"HTTP/1.1 100 ")
        service.process.send_signal(signal.SIGTERM)
        answer = read_answer(connection)
        assert (answer.status, answer.code) == (503, "ending")
        assert service.process.wait(STOP_TIMEOUT_S) == 0
