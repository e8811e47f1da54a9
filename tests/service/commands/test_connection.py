"""A command gets the answers of the client, and its errors as one line for the operator."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import typer

from service.commands.connection import Connection, collection_path
from service.commands.options import connect
from service.domain.command_errors import KeyNeeded, KeyUnreadable, RequestRefused, Unreachable
from tests.support.answering_server import answering


def problem(status: int, code: str, **fields: Any) -> tuple[int, bytes]:
    return status, json.dumps(
        {"title": "Refused", "status": status, "code": code, "detail": f"It is {code}.", **fields}
    ).encode()


def test_an_answer_is_an_object_and_an_empty_one_has_no_fields() -> None:
    with answering((200, b'{"a": 1}'), (204, b"")) as (url, _), Connection(url) as service:
        assert service.call("POST", "/x") == {"a": 1}
        assert service.call("POST", "/x") == {}


def test_lines_are_sent_and_read() -> None:
    with answering((200, b'{"line": 1}\n{"line": 2}\n')) as (url, _), Connection(url) as service:
        assert service.send_lines("/x", b"{}\n{}\n") == [{"line": 1}, {"line": 2}]


def test_a_call_is_repeated_while_the_service_is_busy_and_call_once_is_not() -> None:
    with answering(problem(503, "overloaded"), (200, b"{}")) as (url, asked), Connection(url) as service:
        assert service.call("POST", "/x") == {}
        assert asked == ["/x", "/x"]
    with answering(problem(503, "overloaded"), (200, b"{}")) as (url, asked), Connection(url) as service:
        with pytest.raises(RequestRefused, match="It is overloaded"):
            service.call_once("POST", "/x")
        assert asked == ["/x"]


def test_a_refusal_has_the_problem_of_the_service() -> None:
    errors = [{"where": "query.k", "message": "Too large."}]
    with answering(problem(422, "invalid_request", errors=errors)) as (url, _), Connection(url) as service:
        with pytest.raises(RequestRefused) as error:
            service.call("POST", "/x")
        assert str(error.value) == "It is invalid_request. query.k: Too large."
        assert error.value.problem_code == "invalid_request"
        with pytest.raises(RequestRefused, match="It is invalid_request"):
            service.download("POST", "/x", io.BytesIO())


def test_a_missing_key_is_an_error_that_names_the_option() -> None:
    with answering(problem(401, "key_missing")) as (url, _), Connection(url) as service:
        with pytest.raises(KeyNeeded, match="--key-file"):
            service.call("POST", "/x")
        with pytest.raises(KeyNeeded, match="--key-file"):
            service.download("POST", "/x", io.BytesIO())


@pytest.mark.parametrize("answer", [(200, b"<html>Log in"), (200, b"[1]"), (502, b"<html>Bad Gateway")], ids=str)
def test_an_answer_of_something_else_is_a_refusal(answer: tuple[int, bytes]) -> None:
    with (
        answering(answer) as (url, _),
        Connection(url) as service,
        pytest.raises(RequestRefused, match=r"not one of this service|A proxy") as error,
    ):
        service.call("POST", "/x")
    assert error.value.problem_code == "unknown"


def test_a_service_that_does_not_answer_is_named() -> None:
    with Connection("http://127.0.0.1:9") as service, pytest.raises(Unreachable) as error:
        service.call("GET", "/x")
    assert str(error.value) == (
        "No service answers at http://127.0.0.1:9. Start it with make run, or pass its address with --url."
    )


def test_an_id_with_a_slash_or_dots_does_not_become_another_path() -> None:
    assert collection_path("a/b", "subjects", "c?d") == "/collections/a%2Fb/subjects/c%3Fd"
    for parts in (("..",), ("staff", "subjects", ".."), ("",)):
        with pytest.raises(RequestRefused, match="is not an id"):
            collection_path(*parts)


def test_a_wrong_address_and_a_file_without_a_key_are_errors_of_an_option(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="is no URL"):
        connect("127.0.0.1:8000", None)
    with pytest.raises(KeyUnreadable, match="none cannot be read, or does not hold one line with an access key"):
        connect("http://127.0.0.1:8000", tmp_path / "none")
