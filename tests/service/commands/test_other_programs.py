"""Commands that reach another program than the service, or a service without what they need."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.__main__ import app
from tests.support.answering_server import answering
from tests.support.model_answer import MODEL_ANSWER

LOGIN = (200, b"<html>Please log in</html>")

COLLECTION = {
    "id": "default",
    "model": None,
    "subjects": 0,
    "faces": 0,
    "created_at": "2026-01-31T10:12:07Z",
    "calibration": "model",
    "import_unfinished": False,
    "index": None,
}


def error_of(*arguments: str) -> str:
    return str(CliRunner().invoke(app, list(arguments)).exception)


@pytest.mark.parametrize("answer", [LOGIN, (200, b"{}")])
def test_a_deletion_that_another_program_has_answered_is_an_error(answer: tuple[int, bytes]) -> None:
    with answering(answer) as (url, _):
        assert "is not one of this service" in error_of("delete-subject", "ada", "--url", url)


@pytest.mark.parametrize("answer", [LOGIN, (200, b"{}")])
def test_a_revocation_that_another_program_has_answered_is_an_error(answer: tuple[int, bytes]) -> None:
    with answering(answer) as (url, _):
        assert "is not one of this service" in error_of("keys", "revoke", "3f9c0a7be214", "--url", url)


def test_a_deletion_without_an_answer_says_that_it_may_have_been_made() -> None:
    error = error_of("delete-subject", "ada", "--url", "http://127.0.0.1:9")
    assert "No service answers" in error
    assert "It is not known whether ada was deleted. Run the command again." in error


@pytest.mark.parametrize("answer", [LOGIN, (200, b"{}"), (200, b"[]"), (200, b""), (204, b"")])
@pytest.mark.parametrize(
    "command",
    [
        "identify FOLDER",
        "compare FOLDER",
        "cluster FOLDER --out sorted",
        "enrol FOLDER",
        "demo FOLDER",
        "verify PHOTOGRAPH PHOTOGRAPH",
        "import LINES",
        "keys list",
        "keys create --scope verify",
        "keys rotate 3f9c0a7be214",
    ],
)
def test_another_program_is_told_apart_by_its_answer(
    command: str, answer: tuple[int, bytes], photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = tmp_path / "faces.ndjson"
    lines.write_bytes(b"{}\n")
    photograph = next(photographs.rglob("*.jpg"))
    named = {"FOLDER": photographs, "PHOTOGRAPH": photograph, "LINES": lines}
    with answering(answer) as (url, _):
        error = error_of(*(str(named.get(word, word)) for word in command.split()), "--url", url)
    assert "is not one of this service" in error


@pytest.mark.parametrize("answer", [(200, b""), (200, b'{"line": 2, "status": "enrolled"}\n')])
def test_faces_without_a_result_are_not_counted_as_done(tmp_path: Path, answer: tuple[int, bytes]) -> None:
    lines = tmp_path / "faces.ndjson"
    lines.write_bytes(b"{}\n")
    collection = (200, json.dumps(COLLECTION).encode())
    with answering(collection, answer) as (url, _):
        assert "it does not have a result for each" in error_of("import", str(lines), "--url", url)


@pytest.mark.parametrize("answer", [LOGIN, (200, b"{}"), (200, b"[]"), (200, b"1")])
def test_an_export_that_another_program_has_answered_is_no_file(tmp_path: Path, answer: tuple[int, bytes]) -> None:
    with answering(answer) as (url, _):
        error = error_of("export-subject", "ada", str(tmp_path / "ada.json"), "--url", url)
    assert "not the export of a subject" in error
    assert not list(tmp_path.iterdir())


def test_without_a_threshold_for_clusters_no_photograph_is_sent(tmp_path: Path, photographs: Path) -> None:
    with answering((200, json.dumps(MODEL_ANSWER).encode())) as (url, asked):
        error = error_of("cluster", str(photographs), "--out", str(tmp_path / "sorted"), "--url", url)
    assert "Pass one: --threshold" in error
    assert asked == ["/model"]
