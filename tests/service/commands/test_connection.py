"""A command gets the answers of the client, and its errors as one line for the operator."""

import io
import json
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import typer

import facenet_client
from facenet_client.calls import Call, Download, json_as
from facenet_client.schemas import HealthAnswer, Problem
from service.commands.connection import Connection, Patience, explains_missing
from service.commands.options import check_id, check_rate, connect
from service.commands.photographs.threads import map_in_threads
from service.domain.command_errors import KeyNeeded, KeyUnreadable, RequestRefused, ServiceBusy, Unreachable
from tests.support.answering_server import answering


def problem(status: int, code: str, **fields: Any) -> tuple[int, bytes]:
    return status, json.dumps(
        {"title": "Refused", "status": status, "code": code, "detail": f"It is {code}.", **fields}
    ).encode()


READY, IS_READY = (200, b'{"status": "ready"}'), HealthAnswer(status="ready")
BACKUP = Download("POST", "/backup", io.BytesIO())


def test_an_operation_returns_the_answer_of_the_service() -> None:
    with answering(READY) as (url, asked), Connection(url) as service:
        assert service.ready() == IS_READY
        assert asked == ["/readyz"]


def test_a_call_is_repeated_while_the_service_is_busy_unless_it_is_not_repeatable() -> None:
    with answering(problem(503, "overloaded"), READY) as (url, asked), Connection(url) as service:
        assert service.ready() == IS_READY
        assert asked == ["/readyz", "/readyz"]
    with answering(problem(503, "overloaded"), READY) as (url, asked), Connection(url) as service:
        with pytest.raises(RequestRefused, match="It is overloaded"):
            service.send(Call("GET", "/readyz", json_as(HealthAnswer), is_repeatable=False))
        assert asked == ["/readyz"]


def test_a_refusal_has_the_problem_of_the_service() -> None:
    errors = [{"where": "query.k", "message": "Too large."}]
    with answering(problem(422, "invalid_request", errors=errors)) as (url, _), Connection(url) as service:
        with pytest.raises(RequestRefused) as error:
            service.ready()
        assert str(error.value) == "It is invalid_request. query.k: Too large. (code invalid_request)"
        assert error.value.reason == "It is invalid_request. query.k: Too large."
        assert error.value.problem_code == "invalid_request"
        with pytest.raises(RequestRefused, match="It is invalid_request"):
            service.download(BACKUP)


def test_what_the_sentence_says_of_a_field_is_said_once() -> None:
    problem = {
        "code": "invalid_request",
        "detail": "query.k: Too large. /docs shows what each call takes.",
        "errors": [{"where": "query.k", "message": "Too large"}, {"where": "query.margin", "message": "Too small"}],
    }
    assert str(RequestRefused(problem, "abc")) == (
        "query.k: Too large. /docs shows what each call takes. query.margin: Too small (code invalid_request, request "
        "abc)"
    )


def patience_of_s(give_up_s: float) -> Patience:
    """Return a patience for which 100 seconds go by between two refusals."""
    seconds = count(step=100)
    return Patience(give_up_s, lambda: next(seconds))


def test_a_command_gives_up_if_every_request_is_refused_because_the_service_is_busy() -> None:
    busy = problem(503, "storage_unavailable")
    with answering(busy) as (url, asked), Connection(url, "", patience_of_s(150)) as service:
        with pytest.raises(ServiceBusy) as error:
            service.ready()
        assert str(error.value) == (
            "It is storage_unavailable. The service has refused every request for 150 s. Start the command again "
            "later. GET /readyz says whether the service can work. (code storage_unavailable)"
        )
        assert len(asked) == 3
        with pytest.raises(ServiceBusy):
            list(map_in_threads(lambda _: service.ready(), range(3), 3))


@pytest.mark.parametrize("answer", [READY, problem(409, "subject_exists")], ids=["answered", "refused"])
def test_an_answer_begins_the_wait_again(answer: tuple[int, bytes]) -> None:
    busy = problem(503, "overloaded")
    with (
        answering(busy, busy, answer, busy, busy, READY) as (url, asked),
        Connection(url, "", patience_of_s(250)) as service,
    ):
        with suppress(RequestRefused):
            service.ready()
        assert service.ready() == IS_READY
        assert len(asked) == 6


def test_several_threads_that_wait_say_it_once(capsys: pytest.CaptureFixture[str]) -> None:
    _, body = problem(503, "overloaded")
    patience, refusal = Patience(300), facenet_client.RequestRefused(Problem.model_validate_json(body))
    for _ in range(8):
        patience.wait(refusal, 10)
    assert capsys.readouterr().err == "facenet: It is overloaded. Waiting 10 s.\n"


def test_a_collection_that_is_missing_is_said_in_the_words_of_a_command() -> None:
    missing, lacking = problem(404, "collection_not_found"), problem(404, "subject_not_found")
    with answering(missing, lacking) as (url, _), Connection(url) as service:
        with pytest.raises(RequestRefused) as error, explains_missing("tema"):
            service.ready()
        assert str(error.value) == (
            "There is no collection tema, or the access key does not include it. facenet enrol FOLDER --collection "
            "tema creates it. (code collection_not_found)"
        )
        with pytest.raises(RequestRefused, match="It is subject_not_found"), explains_missing("tema"):
            service.ready()


def test_a_missing_key_is_an_error_that_names_the_option() -> None:
    with answering(problem(401, "key_missing")) as (url, _), Connection(url) as service:
        with pytest.raises(KeyNeeded, match="--key-file"):
            service.ready()
        with pytest.raises(KeyNeeded, match="--key-file"):
            service.download(BACKUP)


@pytest.mark.parametrize(
    "answer", [(200, b"<html>Log in"), (200, b"[1]"), (200, b"{}"), (502, b"<html>Bad Gateway")], ids=str
)
def test_an_answer_of_something_else_is_a_refusal(answer: tuple[int, bytes]) -> None:
    with (
        answering(answer) as (url, _),
        Connection(url) as service,
        pytest.raises(RequestRefused, match=r"not one of this service|A proxy") as error,
    ):
        service.ready()
    assert error.value.problem_code == "unknown"


def test_a_service_that_does_not_answer_is_named() -> None:
    with Connection("http://127.0.0.1:9") as service, pytest.raises(Unreachable) as error:
        service.ready()
    assert str(error.value) == (
        "No service answers at http://127.0.0.1:9. Start it with make run, or pass its address with --url."
    )


def test_at_an_address_with_https_the_one_without_is_named() -> None:
    with (
        answering((200, b"{}")) as (url, _),
        Connection(url.replace("http:", "https:")) as service,
        pytest.raises(Unreachable, match=r"If the service has no TLS, its address begins with http://\."),
    ):
        service.ready()


def test_an_id_and_a_rate_are_checked_before_a_request() -> None:
    assert (check_id(None), check_id("my.team-1"), check_rate(None), check_rate(0.01)) == (
        None,
        "my.team-1",
        None,
        0.01,
    )
    for text in ("my team", "", ".a", "a" * 129, "a\n", "é"):
        with pytest.raises(typer.BadParameter, match="An id has letters"):
            check_id(text)
    for rate in (0.0, 1.0, 5.0, -1.0, float("nan")):
        with pytest.raises(typer.BadParameter, match="A rate is above 0 and below 1"):
            check_rate(rate)


def test_a_wrong_address_and_a_file_without_a_key_are_errors_of_an_option(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="is no URL"):
        connect("127.0.0.1:8000", None)
    with pytest.raises(KeyUnreadable, match="none cannot be read, or does not hold one line with an access key"):
        connect("http://127.0.0.1:8000", tmp_path / "none")
