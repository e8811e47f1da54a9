"""`facenet settings`: what is in force, complete, and without secrets."""

import pytest
from typer.testing import CliRunner

from service.__main__ import app
from service.commands.installation.settings_list import settings_lines
from service.observability.process_limits import cpu_count
from service.settings.environment import list_variables, load_settings

SECRET = "postgresql://me:hunter2@db.example.com:5432/faces"  # noqa: S105  # made up


def values(output: str) -> dict[str, str]:
    return dict(line.split(" = ", 1) for line in output.splitlines() if line.startswith("FACE_"))


def test_every_setting_has_a_value_that_is_not_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_INFERENCE__PROVIDER", "cpu")
    found = values(CliRunner().invoke(app, ["settings"]).output)
    assert set(found) == {variable.name for variable in list_variables()}
    assert not {name for name, value in found.items() if value in {"", "None"}}
    assert found["FACE_INFERENCE__THREADS"] == found["FACE_INFERENCE__WORKERS"] == str(cpu_count())
    assert found["FACE_INFERENCE__MAX_BATCH"] == "2"
    assert found["FACE_GALLERY__URL"] == found["FACE_ADMIN_KEY_FILE"] == "(none)"
    assert found["FACE_AUDIT__SECRET_FILE"] == "var/data/audit/secret"  # noqa: S105  # a path
    assert found["FACE_KEY_SECRET_FILE"] == "var/data/key_secret"  # noqa: S105  # a path


@pytest.mark.parametrize("columns", [1, 20, 60, 500])
def test_no_value_and_no_word_is_cut_on_a_terminal_of_any_width(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    long = "/data/" + "x" * 400
    monkeypatch.setenv("FACE_DATA_DIR", long)
    lines = list(settings_lines(load_settings(), columns))
    text = " ".join(" ".join(lines).split())
    assert f"FACE_DATA_DIR = {long}" in lines
    for variable in list_variables():
        assert " ".join(variable.sentence.split()) in text
    assert "…" not in text


def test_secrets_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_GALLERY__URL", SECRET)
    monkeypatch.setenv("FACE_GALLERY__MILVUS_URI", "http://me:hunter2@milvus.example.com:19530")
    output = CliRunner().invoke(app, ["settings"]).output
    assert "hunter2" not in output
    assert values(output)["FACE_GALLERY__URL"] == values(output)["FACE_GALLERY__MILVUS_URI"] == "***"
