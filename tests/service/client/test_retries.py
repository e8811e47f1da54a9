"""A request is repeated while the service is busy, and only then. Both transports do the same."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from facenet_client import RequestRefused
from facenet_client.calls import Call, path_of
from facenet_client.sending.retries import BUSY_CODES
from tests.service.client.made_up_service import Answer, MadeUpService, ok, problem


def read_text(response: httpx.Response) -> str:
    return response.text


CALL = Call("POST", path_of("verify"), read_text, {"params": {"k": 1}})


@pytest.mark.parametrize("code", sorted(BUSY_CODES))
def test_a_request_is_repeated_after_the_time_that_a_busy_service_says(kind: str, code: str) -> None:
    service = MadeUpService([problem(code, retry_after="3"), problem(code, retry_after="5"), ok({"a": 1})])
    assert service.send(kind, CALL) == '{"a":1}'
    assert service.waits_s == [3, 5]
    assert [str(request.url) for request in service.requests] == ["http://127.0.0.1:8000/verify?k=1"] * 3


def test_the_body_of_a_repeated_request_is_the_same(kind: str) -> None:
    service = MadeUpService([problem("overloaded"), ok()])
    service.send(kind, Call("POST", "/identify", read_text, {"files": [("image", ("photograph", b"\xff\xd8"))]}))
    first, second = (request.read() for request in service.requests)
    assert b"\xff\xd8" in first
    assert first.split(b"\r\n", 1)[1].rsplit(b"--", 2)[0] == second.split(b"\r\n", 1)[1].rsplit(b"--", 2)[0]


@pytest.mark.parametrize(
    "answer",
    [
        problem("no_face", 422),
        problem("timed_out"),
        problem("change_unconfirmed"),
        problem("storage_lost"),
        problem("quota_used", 429),
        problem("internal_error", 500),
        httpx.Response(503, text="a proxy", headers={"Retry-After": "1"}),
    ],
    ids=lambda answer: str(answer.status_code) + answer.text[-30:],
)
def test_other_refusals_are_raised_at_once(kind: str, answer: Answer) -> None:
    service = MadeUpService([answer])
    with pytest.raises(RequestRefused):
        service.send(kind, CALL)
    assert len(service.requests) == 1
    assert service.waits_s == []


def test_a_call_that_must_not_be_repeated_is_sent_once(kind: str) -> None:
    service = MadeUpService([problem("overloaded"), ok()])
    with pytest.raises(RequestRefused, match="overloaded"):
        service.send(kind, Call("POST", "/keys", read_text, is_repeatable=False))
    assert len(service.requests) == 1


def test_no_wait_ends_after_the_total_time(kind: str) -> None:
    service = MadeUpService([problem("overloaded", retry_after="4")], retry_s=10)
    with pytest.raises(RequestRefused) as error:
        service.send(kind, CALL)
    assert service.waits_s == [4, 4]
    assert error.value.code == "overloaded"
    assert error.value.retry_after_s == 4


def test_with_no_time_for_retries_a_request_is_sent_once(kind: str) -> None:
    service = MadeUpService([problem("overloaded")], retry_s=0)
    with pytest.raises(RequestRefused):
        service.send(kind, CALL)
    assert len(service.requests) == 1


def test_each_wait_is_told_with_its_reason(kind: str) -> None:
    service = MadeUpService([problem("index_building", retry_after="5"), problem("overloaded"), ok()])
    service.send(kind, CALL)
    assert service.said == [("index_building", 5), ("overloaded", 1)]


@pytest.mark.parametrize(("header", "wait_s"), [(None, 1), ("", 1), ("soon", 1), ("0", 0.1), ("-1", 1), ("1.5", 1)])
def test_without_a_number_of_seconds_the_wait_is_a_second(kind: str, header: str | None, wait_s: float) -> None:
    service = MadeUpService([problem("overloaded", retry_after=header), ok()])
    service.send(kind, CALL)
    assert service.waits_s == [wait_s]


@pytest.mark.parametrize(("from_now_s", "lowest_s", "highest_s"), [(40, 30, 40), (-40, 0.1, 0.1)])
def test_a_proxy_may_send_a_date(kind: str, from_now_s: int, lowest_s: float, highest_s: float) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=from_now_s), usegmt=True)
    service = MadeUpService([problem("overloaded", retry_after=date), ok()])
    service.send(kind, CALL)
    (wait_s,) = service.waits_s
    assert lowest_s <= wait_s <= highest_s
