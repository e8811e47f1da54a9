from pathlib import Path

import pytest

from models.files import has_sha256, remove_temporary_files, write_atomically

SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def test_a_file_and_its_folders_are_written(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "model.onnx"

    write_atomically(file, b"hello")

    assert file.read_bytes() == b"hello"
    assert [entry.name for entry in file.parent.iterdir()] == ["model.onnx"]


def test_the_old_file_is_kept_if_writing_fails(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"old")

    with pytest.raises(TypeError):
        write_atomically(file, "not bytes")  # type: ignore[arg-type]

    assert file.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_no_temporary_file_is_left_if_renaming_fails(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").mkdir()

    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "model.onnx", b"new")

    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_only_the_temporary_files_of_the_named_files_are_removed(tmp_path: Path) -> None:
    for name in (".model.onnx.a1b2", "model.onnx", ".other.onnx.a1b2"):
        (tmp_path / name).touch()

    remove_temporary_files(tmp_path, "model.onnx")

    assert {entry.name for entry in tmp_path.iterdir()} == {"model.onnx", ".other.onnx.a1b2"}


def test_a_file_is_compared_by_its_sha256(tmp_path: Path) -> None:
    file = tmp_path / "greeting"
    assert not has_sha256(file, SHA256)

    file.write_bytes(b"hello")
    assert has_sha256(file, SHA256)

    file.write_bytes(b"hallo")
    assert not has_sha256(file, SHA256)
