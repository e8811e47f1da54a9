"""Lists, downloads and errors. Both transports do the same."""

import io
import pickle
from collections.abc import Iterator

import httpx
import pytest

from facenet_client import FacenetError, RequestRefused, UnexpectedAnswer, Unreachable
from facenet_client.calls import Call, Download, Listing, json_as, read_receipt
from facenet_client.schemas import HealthAnswer, SubjectsAnswer
from tests.service.client.made_up_service import MadeUpService, ok, problem

READY = Call("GET", "/readyz", json_as(HealthAnswer))
SUBJECTS = Listing("/collections/staff/subjects", json_as(SubjectsAnswer))


def page(*ids: str, next_cursor: str | None = None) -> httpx.Response:
    fields: dict[str, object] = {"name": None, "metadata": {}, "faces": 0, "created_at": "2026-01-01T00:00:00Z"}
    return ok({"items": [{"id": one, **fields} for one in ids], "next_cursor": next_cursor})


def test_a_list_is_read_page_by_page(kind: str) -> None:
    service = MadeUpService([page("a", "b", next_cursor="b"), page("c", next_cursor="c"), page()])
    assert [subject.id for subject in service.list_items(kind, SUBJECTS)] == ["a", "b", "c"]
    queries = [str(request.url.query, "ascii") for request in service.requests]
    assert queries == ["limit=1000", "limit=1000&cursor=b", "limit=1000&cursor=c"]


def test_a_page_of_a_list_is_asked_for_again_if_the_service_is_busy(kind: str) -> None:
    service = MadeUpService([page("a", next_cursor="a"), problem("overloaded"), page("b")])
    assert [subject.id for subject in service.list_items(kind, SUBJECTS)] == ["a", "b"]


def test_a_download_is_written_to_the_file(kind: str) -> None:
    target = io.BytesIO()
    MadeUpService([httpx.Response(200, content=b"a" * 100_000)]).download(kind, Download("POST", "/backup", target))
    assert target.getvalue() == b"a" * 100_000


def test_a_download_that_is_refused_writes_nothing(kind: str) -> None:
    target = io.BytesIO()
    with pytest.raises(RequestRefused, match="scope_missing"):
        MadeUpService([problem("scope_missing", 403)]).download(kind, Download("POST", "/backup", target))
    assert target.getvalue() == b""


def lost() -> Iterator[bytes]:
    yield b"the beginning"
    raise httpx.ReadError("connection reset")


def test_a_download_that_breaks_off_is_an_error(kind: str) -> None:
    class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            return lost()

        async def __aiter__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204
            for part in lost():
                yield part

    with pytest.raises(Unreachable, match="connection reset"):
        MadeUpService([httpx.Response(200, stream=Stream())]).download(kind, Download("GET", "/e", io.BytesIO()))


def test_a_refusal_has_the_code_the_status_and_the_reason(kind: str) -> None:
    with pytest.raises(RequestRefused) as error:
        MadeUpService([problem("quota_used", 429, retry_after="3600")]).send(kind, READY)
    assert (error.value.code, error.value.status, error.value.retry_after_s) == ("quota_used", 429, 3600)
    assert str(error.value) == "quota_used: It is quota_used."


def test_a_refusal_names_the_fields_and_the_photographs_that_are_wrong(kind: str) -> None:
    result: dict[str, object] = {"face": None, "box": None, "quality": None, "warnings": []}
    body = {
        "title": "",
        "status": 422,
        "code": "nothing_enrolled",
        "detail": "None was enrolled.",
        "errors": [{"where": "query.k", "message": "Too large."}],
        "results": [
            {"status": "known", "code": None, "detail": None, **result},
            {"status": "refused", "code": "no_face", "detail": "No face was found.", **result},
        ],
    }
    with pytest.raises(RequestRefused) as error:
        MadeUpService([httpx.Response(422, json=body)]).send(kind, READY)
    reasons = "query.k: Too large. Image 2: no_face: No face was found."
    assert str(error.value) == f"nothing_enrolled: None was enrolled. {reasons}"
    assert error.value.problem.results[1].code == "no_face"


def test_a_field_that_the_reason_names_is_not_named_again(kind: str) -> None:
    errors = [{"where": "query.k", "message": "Too large."}, {"where": "query.margin", "message": "Too small."}]
    body = {"title": "", "status": 422, "code": "invalid_request", "detail": "query.k: Too large. See /docs."}
    with pytest.raises(RequestRefused) as error:
        MadeUpService([httpx.Response(422, json=body | {"errors": errors})]).send(kind, READY)
    assert str(error.value) == "invalid_request: query.k: Too large. See /docs. query.margin: Too small."


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (httpx.Response(502, text="<html>Bad Gateway"), "unknown: The answer has the status 502 Bad Gateway"),
        (httpx.Response(301, headers={"Location": "https://x"}), "unknown: The answer has the status 301"),
        (httpx.Response(404, json={"message": "no such app"}), "unknown: The answer has the status 404 Not Found"),
        (httpx.Response(599), "unknown: The answer has the status 599"),
    ],
    ids=lambda value: str(getattr(value, "status_code", "")),
)
def test_an_error_of_a_proxy_has_the_code_unknown(kind: str, answer: httpx.Response, text: str) -> None:
    with pytest.raises(RequestRefused, match=text) as error:
        MadeUpService([answer]).send(kind, READY)
    assert error.value.status == answer.status_code


@pytest.mark.parametrize(
    "content", [b"<html>Log in", b"", b"{}", b"[1]", b'{"status": 3}'], ids=["html", "empty", "{}", "list", "type"]
)
def test_a_successful_answer_of_something_else_is_an_error(kind: str, content: bytes) -> None:
    call = Call("POST", "/collections", json_as(SubjectsAnswer))
    with pytest.raises(UnexpectedAnswer, match="The answer to POST /collections is not one of this service"):
        MadeUpService([httpx.Response(200, content=content)]).send(kind, call)


def test_the_message_of_an_unexpected_answer_does_not_have_its_values(kind: str) -> None:
    with pytest.raises(UnexpectedAnswer) as error:
        MadeUpService([ok({"items": "Ada Lovelace"})]).send(kind, SUBJECTS.page(None))
    assert "items: " in str(error.value)
    assert "Ada" not in str(error.value)


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("[Errno 111] Connection refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("disconnected"),
        httpx.ReadTimeout("timed out"),
        httpx.ProxyError("407"),
        httpx.DecodingError("not gzip"),
        httpx.TooManyRedirects("20"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_of_the_connection_is_one_of_the_client(kind: str, error: Exception) -> None:
    service = MadeUpService([error])
    for send in (
        lambda: service.send(kind, READY),
        lambda: service.download(kind, Download("GET", "/e", io.BytesIO())),
    ):
        with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:8000"):
            send()
    assert len(service.requests) == 2, "it is not known whether the request was carried out, so it is not repeated"


@pytest.mark.parametrize("retry_after", ["3", None])
def test_an_error_can_be_pickled(kind: str, retry_after: str | None) -> None:
    """A pool of processes sends errors to the process that waits."""
    with pytest.raises(FacenetError) as error:
        MadeUpService([problem("no_face", 422, retry_after)]).send(kind, READY)
    copied = pickle.loads(pickle.dumps(error.value))  # noqa: S301  # made here
    assert isinstance(copied, RequestRefused)
    assert (str(copied), copied.retry_after_s) == (str(error.value), None if retry_after is None else 3)


def test_a_deletion_returns_its_receipt(kind: str) -> None:
    call = Call("DELETE", "/collections/staff", read_receipt)
    deleted = httpx.Response(204, headers={"X-Deletion-Receipt": "812-0c2a"})
    assert MadeUpService([deleted]).send(kind, call) == "812-0c2a"
    assert MadeUpService([httpx.Response(204)]).send(kind, call) is None


def test_a_refusal_has_the_id_of_the_request_in_the_log(kind: str) -> None:
    answer = problem("internal_error", 500)
    answer.headers["X-Request-ID"] = "5f3a"
    with pytest.raises(RequestRefused) as error:
        MadeUpService([answer]).send(kind, READY)
    assert error.value.request_id == "5f3a"
