from pathlib import Path

import pytest

from models.files import has, sweep, write_atomically

SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "model.onnx"

    write_atomically(file, b"hello")

    assert file.read_bytes() == b"hello"
    assert [one.name for one in file.parent.iterdir()] == ["model.onnx"]


def test_the_old_file_stays_when_writing_fails(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"old")

    with pytest.raises(TypeError):
        write_atomically(file, "not bytes")  # type: ignore[arg-type]

    assert file.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["model.onnx"]


def test_nothing_is_left_when_the_file_cannot_take_its_place(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").mkdir()

    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "model.onnx", b"new")

    assert [one.name for one in tmp_path.iterdir()] == ["model.onnx"]


def test_what_a_killed_process_had_begun_is_swept_and_nothing_else(tmp_path: Path) -> None:
    for name in (".model.onnx.a1b2", "model.onnx", ".other.onnx.a1b2"):
        (tmp_path / name).touch()

    sweep(tmp_path, "model.onnx")

    assert {one.name for one in tmp_path.iterdir()} == {"model.onnx", ".other.onnx.a1b2"}


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "greeting"
    assert not has(file, SHA256)

    file.write_bytes(b"hello")
    assert has(file, SHA256)

    file.write_bytes(b"hallo")
    assert not has(file, SHA256)
