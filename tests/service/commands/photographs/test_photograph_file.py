"""The file of a photograph: what is read, and what is not."""

from pathlib import Path

import pytest

from service.commands.photographs.left_out import LeftOut
from service.commands.photographs.photograph_file import (
    LIMIT,
    PhotographFile,
    body_limit_bytes,
    read_photograph,
    refused_photograph,
)
from service.domain.command_errors import InvalidSettings, RequestRefused
from service.settings.environment import Settings


def test_a_file_is_read_up_to_the_limit_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, "2000")
    file = tmp_path / "a.jpg"
    file.write_bytes(b"x" * 2000)
    assert read_photograph(file) == PhotographFile(file, b"x" * 2000)
    file.write_bytes(b"x" * 2001)
    refused = read_photograph(file)
    assert isinstance(refused, LeftOut)
    assert (refused.status, refused.code) == ("refused", "too_large_file")
    assert "2,001 bytes" in refused.detail
    assert LIMIT in refused.detail


def test_without_the_setting_the_limit_is_the_default_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LIMIT, raising=False)
    assert body_limit_bytes() == Settings().limits.body_bytes
    monkeypatch.setenv(LIMIT, "many")
    with pytest.raises(InvalidSettings, match="whole number"):
        body_limit_bytes()


def test_a_refusal_that_is_about_something_else_ends_the_command(tmp_path: Path) -> None:
    named = RequestRefused({"code": "no_face", "detail": "None.", "image": "image"})
    assert refused_photograph(tmp_path, named) == LeftOut(tmp_path, "refused", "no_face", "None.")
    with pytest.raises(RequestRefused, match="No more today"):
        refused_photograph(tmp_path, RequestRefused({"code": "quota_used", "detail": "No more today."}))
