"""Requests that are too large, too many or too slow are refused. Other requests are still answered."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import anyio
import httpx
import numpy as np
import pytest
from anyio import lowlevel, to_thread
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from service.access.shares import SharedLimit
from service.api.admission import OVERLOAD_S, Admission
from service.api.dependencies import Services
from service.api.errors.http_errors import UploadTooSlow
from service.api.middleware.limits import RequestLimits
from service.api.middleware.running_requests import RunningRequestsOfKey
from service.api.middleware.uploads import HeldBytes, UploadRules, UploadWatch
from service.app import build_app
from service.decisions.two_models import LoadedModels
from service.domain.access import FULL_ACCESS, Access, work_with
from service.domain.errors import Abandoned, InvalidOption, Overloaded
from service.domain.waiting import begin_storing, require_waiting_client
from service.pipeline.round_robin import RoundRobinThreads
from service.settings.environment import Settings
from service.settings.groups import Limits
from tests.support.asgi_client import connect_to_app
from tests.support.fakes import BlockingFinder, frontal_face

pytestmark = pytest.mark.anyio


@pytest.fixture
def services(app: FastAPI) -> Services:
    """Return the services of the application, with limits of four images in flight and three in one request."""
    services: Services = app.state.services
    return replace(
        services,
        admission=Admission(max_in_flight=4, max_per_request=3, short_queue=1, count_images=lambda _images: None),
    )


def make_settings(tmp_path: Path, limits: Limits) -> Settings:
    return Settings(data_dir=tmp_path, limits=limits)


async def test_too_many_images_in_flight_are_503_and_other_requests_are_answered(
    services: Services, tmp_path: Path, obama: bytes, obama2: bytes
) -> None:
    async with connect_to_app(build_app(make_settings(tmp_path, Limits()), services)) as client:
        with services.admission.admit(3):
            refused = await client.post("/verify", files={"image_a": obama, "image_b": obama2})
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
            assert refused.headers["retry-after"] == "1"
            assert (await client.post("/embed", files={"images": obama})).status_code == 200
            assert (await client.get("/readyz")).status_code == 200
        assert (await client.post("/verify", files={"image_a": obama, "image_b": obama2})).status_code == 200


def test_more_images_than_the_limit_are_refused_at_once() -> None:
    with (
        pytest.raises(InvalidOption),
        Admission(max_in_flight=2, max_per_request=8, short_queue=1, count_images=lambda _images: None).admit(3),
    ):
        pass


def test_the_images_of_a_failed_request_no_longer_count() -> None:
    admission = Admission(max_in_flight=2, max_per_request=2, short_queue=1, count_images=lambda _images: None)
    with pytest.raises(ZeroDivisionError), admission.admit(2):
        raise ZeroDivisionError
    with admission.admit(2), pytest.raises(Overloaded), admission.admit(1):
        pass


async def test_a_request_that_takes_too_long_is_503(services: Services, tmp_path: Path, obama: bytes) -> None:
    async with connect_to_app(build_app(make_settings(tmp_path, Limits(request_timeout_s=0.001)), services)) as client:
        answer = await client.post("/embed", files={"images": obama})
    assert (answer.status_code, answer.json()["code"]) == (503, "timed_out")
    assert answer.headers["retry-after"] == "5"


@pytest.fixture
def finder() -> Iterator[BlockingFinder]:
    finder = BlockingFinder(frontal_face(10, 10, 50, 50))
    yield finder
    finder.may_return.set()


@pytest.fixture
def impatient_app(services: Services, tmp_path: Path, finder: BlockingFinder) -> FastAPI:
    """Return an application with one thread and one request at a time. A request times out while it is searched."""
    probes = services.probes
    pipeline = replace(
        probes.pipeline,
        extractor=replace(probes.pipeline.extractor, find_faces=finder.find),
        extraction_threads=RoundRobinThreads(1),
    )
    one_request = Admission(max_in_flight=3, max_per_request=3, short_queue=1, count_images=lambda _images: None)
    changed = replace(services, models=LoadedModels(replace(probes, pipeline=pipeline)), admission=one_request)
    return build_app(make_settings(tmp_path, Limits(request_timeout_s=0.2)), changed)


async def wait_until_all_work_has_ended(client: httpx.AsyncClient) -> None:
    """Send the largest request until it is admitted. Its images are no images, so none is searched."""
    while (await client.post("/embed", files=[("images", b"none")] * 3)).json()["code"] != "unreadable_image":
        pass


async def test_a_timed_out_request_begins_no_further_image(
    impatient_app: FastAPI, finder: BlockingFinder, obama: bytes
) -> None:
    async with connect_to_app(impatient_app) as client:
        answer = await client.post("/embed", files=[("images", obama)] * 3)
        assert answer.json()["code"] == "timed_out"
        finder.may_return.set()
        await wait_until_all_work_has_ended(client)
    assert len(finder.widths) <= 1


async def test_a_timed_out_enrolment_is_not_stored(
    impatient_app: FastAPI, finder: BlockingFinder, client: httpx.AsyncClient, collection: str, obama: bytes
) -> None:
    await client.put(f"{collection}/subjects/obama", json={})
    async with connect_to_app(impatient_app) as impatient_client:
        answer = await impatient_client.post(f"{collection}/subjects/obama/faces", files=[("images", obama)] * 3)
        assert answer.json()["code"] == "timed_out"
        finder.may_return.set()
        await wait_until_all_work_has_ended(impatient_client)
    assert (await client.get(f"{collection}/subjects/obama/faces")).json()["items"] == []


PATIENT = UploadRules(idle_s=60, bytes_per_s=0, span_s=60)


class ThreadedApp:
    """An application that reads the body, waits in a thread until `may_answer` is set, and then answers."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.threads = anyio.CapacityLimiter(1)
        self.ended = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        await to_thread.run_sync(self.may_answer.wait, limiter=self.threads)
        await PlainTextResponse("done")(scope, receive, send)
        self.ended.set()


@pytest.fixture
def threaded_app() -> Iterator[ThreadedApp]:
    app = ThreadedApp()
    yield app
    app.may_answer.set()


async def test_the_bytes_of_a_timed_out_request_count_until_its_work_ends(threaded_app: ThreadedApp) -> None:
    limited = RequestLimits(threaded_app, body_bytes=10, body_bytes_in_flight=15, upload=PATIENT, timeout_s=0.01)
    async with connect_to_app(limited) as client:
        assert (await client.post("/", content=b"0123456789")).json()["code"] == "timed_out"
        assert threaded_app.threads.borrowed_tokens == 1
        with pytest.raises(Overloaded):
            await client.post("/", content=b"0123456789")
        threaded_app.may_answer.set()
        await threaded_app.ended.wait()
        await lowlevel.checkpoint()  # so that its bytes no longer count
        assert (await client.post("/", content=b"0123456789")).text == "done"


@pytest.mark.parametrize(
    ("body", "advice"), [(b"0123", "Send less in one request."), (b"", "Try again when the service has less to do.")]
)
async def test_the_advice_after_the_time_limit_fits_the_request(
    threaded_app: ThreadedApp, body: bytes, advice: str
) -> None:
    limited = RequestLimits(threaded_app, body_bytes=10, body_bytes_in_flight=15, upload=PATIENT, timeout_s=0.01)
    async with connect_to_app(limited) as client:
        assert (await client.post("/", content=body)).json()["detail"].endswith(advice)
        threaded_app.may_answer.set()
        await threaded_app.ended.wait()


async def test_a_change_that_is_being_stored_at_the_time_limit_is_answered() -> None:
    async def store_slowly(scope: Scope, receive: Receive, send: Send) -> None:
        begin_storing()
        await anyio.sleep(0.05)
        await PlainTextResponse("stored")(scope, receive, send)

    limited = RequestLimits(store_slowly, body_bytes=10, body_bytes_in_flight=10, upload=PATIENT, timeout_s=0.01)
    async with connect_to_app(limited) as client:
        assert (await client.post("/")).text == "stored"


async def test_the_work_on_a_request_ends_if_its_client_leaves() -> None:
    body_read, has_left, noticed = asyncio.Event(), asyncio.Event(), asyncio.Event()
    sent: list[Message] = []

    async def work(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        body_read.set()
        while not noticed.is_set():
            await lowlevel.checkpoint()
            try:
                require_waiting_client()
            except Abandoned:
                noticed.set()
        await PlainTextResponse("done")(scope, receive, send)

    async def receive() -> Message:
        if body_read.is_set():
            await has_left.wait()
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"body", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    limited = RequestLimits(work, body_bytes=10, body_bytes_in_flight=10, upload=PATIENT, timeout_s=60)
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", b"4")]}
    request = asyncio.create_task(limited(scope, receive, send))
    await body_read.wait()
    assert not noticed.is_set()
    has_left.set()
    await request
    assert noticed.is_set()
    assert sent == []


async def parts_with_a_pause(pause_s: float) -> AsyncIterator[bytes]:
    """Yield the parts of a body as a slow client sends them."""
    yield b'{"image": {"base64": "'
    for _ in range(20):
        await anyio.sleep(pause_s)
        yield b"AAAA"
    yield b'"}}'


async def identify_slowly(services: Services, limits: Limits, tmp_path: Path, pause_s: float) -> httpx.Response:
    async with connect_to_app(build_app(make_settings(tmp_path, limits), services)) as client:
        headers = {"content-type": "application/json"}
        return await client.post("/identify", content=parts_with_a_pause(pause_s), headers=headers)


async def test_an_upload_without_a_byte_for_some_time_is_408(services: Services, tmp_path: Path) -> None:
    answer = await identify_slowly(services, Limits(upload_idle_s=0.01), tmp_path, 60)
    assert (answer.status_code, answer.json()["code"]) == (408, "upload_too_slow")
    assert answer.headers["connection"] == "close"


async def test_an_upload_with_too_few_bytes_a_second_is_408(services: Services, tmp_path: Path) -> None:
    limits = Limits(upload_span_s=0.05, upload_bytes_per_s=10_000)
    answer = await identify_slowly(services, limits, tmp_path, 0.01)
    assert (answer.status_code, answer.json()["code"]) == (408, "upload_too_slow")


async def test_the_time_of_the_upload_is_not_the_time_of_the_request(services: Services, tmp_path: Path) -> None:
    limits = Limits(request_timeout_s=0.1, upload_bytes_per_s=0)
    answer = await identify_slowly(services, limits, tmp_path, 0.01)
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_image")


async def test_the_mean_rate_is_that_of_the_last_span_and_not_of_the_whole_upload() -> None:
    """Otherwise a client could send 32 MB, and then a byte a second for nine hours."""
    messages = [b"x" * 10_000, *(b"x" for _ in range(100))]

    async def receive() -> Message:
        await anyio.sleep(0.005)
        return {"type": "http.request", "body": messages.pop(0), "more_body": True}

    watch = UploadWatch(UploadRules(idle_s=60, bytes_per_s=1000, span_s=0.02))

    async def receive_all() -> None:
        while messages:
            await watch.receive(receive)

    with pytest.raises(UploadTooSlow):
        await receive_all()


def test_bytes_in_flight_are_counted_as_they_come() -> None:
    in_flight = SharedLimit(10)
    body = HeldBytes(in_flight)
    body.take(6)
    with pytest.raises(Overloaded):
        HeldBytes(in_flight).take(5)
    body.take(4)
    body.give_back()
    HeldBytes(in_flight).take(10)


def of_key(key: str) -> Access:
    return replace(FULL_ACCESS, key=key)


def test_the_images_of_one_key_leave_places_for_another_key() -> None:
    admission = Admission(max_in_flight=8, max_per_request=2, short_queue=1, count_images=lambda _images: None)
    with ExitStack() as admitted:
        with work_with(of_key("a")):
            for _ in range(3):
                admitted.enter_context(admission.admit(2))
            with pytest.raises(Overloaded), admission.admit(1):
                pass
            with pytest.raises(Overloaded):
                admission.require_room()
        with work_with(of_key("b")):
            admission.require_room()
            admitted.enter_context(admission.admit(2))
            with pytest.raises(Overloaded):
                admission.require_room()


class OverloadedKey:
    """Requests of one photograph by key `a`, which has found its share of the images in flight full."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.admission = Admission(
            max_in_flight=16,
            max_per_request=2,
            short_queue=3,
            count_images=lambda _images: None,
            clock=lambda: self.now_s,
        )
        self.running = [self.start() for _ in range(12)]
        assert not self.is_admitted()

    def start(self) -> ExitStack:
        """Start a request. It runs until the stack is closed."""
        with ExitStack() as request, work_with(of_key("a")):
            self.admission.require_room()
            request.enter_context(self.admission.admit(1))
            return request.pop_all()

    def end(self, count: int) -> None:
        for _ in range(count):
            self.running.pop().close()

    def is_admitted(self, key: str = "a") -> bool:
        with work_with(of_key(key)):
            try:
                self.admission.require_room()
            except Overloaded:
                return False
            return True


def test_a_key_that_finds_its_share_full_gets_a_short_queue() -> None:
    overloaded = OverloadedKey()
    overloaded.end(9)  # three are in flight
    assert not overloaded.is_admitted()
    overloaded.end(1)
    assert overloaded.is_admitted()


def test_the_queue_is_long_again_when_no_request_has_been_refused_for_a_while() -> None:
    overloaded = OverloadedKey()
    overloaded.end(1)
    overloaded.now_s += OVERLOAD_S / 2
    assert not overloaded.is_admitted()
    overloaded.now_s += OVERLOAD_S / 2
    assert not overloaded.is_admitted()
    overloaded.now_s += OVERLOAD_S
    assert overloaded.is_admitted()


def test_the_overload_of_one_key_shortens_the_queue_of_no_other_key() -> None:
    overloaded = OverloadedKey()
    overloaded.end(8)
    with work_with(of_key("b")), ExitStack() as admitted:
        for _ in range(4):
            overloaded.admission.require_room()
            admitted.enter_context(overloaded.admission.admit(2))


def test_a_request_of_several_images_is_admitted_in_an_overload_when_one_of_one_image_is() -> None:
    """Otherwise small requests would keep large ones out."""
    overloaded = OverloadedKey()
    overloaded.end(10)
    with work_with(of_key("a")), overloaded.admission.admit(2):
        assert not overloaded.is_admitted()


def test_the_bytes_of_one_key_leave_room_for_another_key() -> None:
    in_flight = SharedLimit(100)
    with work_with(of_key("a")):
        held = HeldBytes(in_flight)
        held.take(75)
        with pytest.raises(Overloaded):
            HeldBytes(in_flight).take(1)
    with work_with(of_key("b")):
        HeldBytes(in_flight).take(25)
    held.give_back()
    assert in_flight.held == 25


async def test_the_requests_of_one_key_leave_places_for_another_key_and_for_probes() -> None:
    may_answer = asyncio.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await may_answer.wait()
        await PlainTextResponse("done")(scope, receive, send)

    async def get(key: str, path: str = "/") -> httpx.Response:
        with work_with(of_key(key)):
            return await client.get(path)

    async with connect_to_app(RunningRequestsOfKey(answer, limit=4)) as client:
        running = [asyncio.create_task(get("a")) for _ in range(3)]
        for _ in range(10):
            await lowlevel.checkpoint()
        refused = await get("a")
        assert (refused.json()["code"], refused.headers["connection"]) == ("overloaded", "close")
        running += [asyncio.create_task(get("b")), asyncio.create_task(get("a", "/readyz"))]
        may_answer.set()
        assert {(await request).text for request in running} == {"done"}


async def test_a_body_is_not_read_if_no_image_would_be_admitted(services: Services, tmp_path: Path) -> None:
    async def body() -> AsyncIterator[bytes]:
        pytest.fail("the body was read")
        yield b""

    async with connect_to_app(build_app(make_settings(tmp_path, Limits()), services)) as client:
        with services.admission.admit(3), services.admission.admit(1):
            headers = {"content-type": "application/json", "expect": "100-continue"}
            refused = await client.post("/verify", content=body(), headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")


async def test_a_body_of_many_numbers_is_413_before_it_is_parsed(services: Services, tmp_path: Path) -> None:
    """Parsed numbers take forty times the memory of the body."""
    body = b'{"embeddings": [[' + b"0," * 2**22 + b"0]]}"
    async with connect_to_app(build_app(make_settings(tmp_path, Limits()), services)) as client:
        answer = await client.post("/cluster", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_body_of_many_fields_is_413_before_it_is_parsed(client: httpx.AsyncClient) -> None:
    body = b"{" + b",".join(b'"%d":0' % number for number in range(20_000)) + b"}"
    answer = await client.post("/embed", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "images", [b"0," * 3000, b'{"base64": ""},' * 3000, b'{"face": "-", "collection": "-"},' * 3000]
)
async def test_only_the_first_of_many_bad_images_is_reported(client: httpx.AsyncClient, images: bytes) -> None:
    body = b'{"images": [' + images.rstrip(b",") + b"]}"
    answer = await client.post("/embed", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert {error["where"].split(".")[2] for error in answer.json()["errors"]} == {"0"}


async def test_a_subject_larger_than_the_limit_is_413(client: httpx.AsyncClient, collection: str) -> None:
    answer = await client.put(f"{collection}/subjects/ada", json={"metadata": {"x": "y" * 2**17}})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_the_maximum_number_of_embeddings_fits_into_a_body(client: httpx.AsyncClient, model_id: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(200, 128))
    embeddings = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    body = {"embeddings": embeddings.tolist(), "model": model_id}
    assert (await client.post("/cluster?threshold=1", json=body)).status_code == 200


async def test_more_parts_than_a_form_may_have_are_400(client: httpx.AsyncClient) -> None:
    parts = b"".join(b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n\r\n' for _ in range(5000))
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = await client.post("/embed", content=parts + b"--x--\r\n", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_form")
