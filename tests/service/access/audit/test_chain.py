"""The chain of the audit log: what was changed is found, and a crash does not break it."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from service.access.audit.files import Keeping, log_files
from service.access.audit.line import Head, Line
from service.access.audit.secret import AuditSecret, create_secret, read_secret
from service.access.audit.verification import Chain, ChainBroken, Verification
from service.access.audit.writer import AuditWriter
from service.domain.command_errors import AuditUnusable
from tests.support.full_disk import simulate_full_disk

KEEPING = Keeping(days=365, total_bytes=2**30, file_bytes=1000)
SECRET = AuditSecret(bytes(range(32)))


def other_digit(digit: bytes) -> bytes:
    return b"0" if digit != b"0" else b"1"


def write(folder: Path, lines: int, keeping: Keeping = KEEPING, noted: Head | None = None) -> Head:
    """Write lines in several files, as a service does from its start to its end. Return the last."""
    folder.mkdir(exist_ok=True)
    writer = AuditWriter(folder, SECRET, keeping, noted)
    for number in range(lines):
        writer.write([{"event": "change", "number": number}])
    writer.close()
    return writer.head


def verify(folder: Path, *heads: Head, secret: AuditSecret = SECRET) -> Chain:
    return Verification(secret, list(heads), lambda _: None).run(folder)


def all_lines(folder: Path) -> list[bytes]:
    return [line for file in log_files(folder) for line in file.read_bytes().splitlines(keepends=True)]


def store(file: Path, lines: list[bytes]) -> None:
    file.write_bytes(b"".join(lines))


def edit(folder: Path, change: Callable[[list[bytes]], list[bytes]], file: int = 1) -> None:
    path = log_files(folder)[file]
    store(path, change(path.read_bytes().splitlines(keepends=True)))


def test_a_log_of_several_files_and_starts_is_one_chain(tmp_path: Path) -> None:
    write(tmp_path, 20)
    head = write(tmp_path, 20)
    assert len(log_files(tmp_path)) > 4
    numbers = [Line.parse(line[:-1]).head.sequence for line in all_lines(tmp_path)]
    assert numbers == list(range(1, head.sequence + 1))
    assert verify(tmp_path, head).head == head


TAMPERINGS: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "a digit of a field is changed": (
        lambda lines: [lines[0], lines[1].replace(b'"number":', b'"number":1'), *lines[2:]],
        "was changed",
    ),
    "a hash is changed": (
        lambda lines: [lines[0], lines[1][:-4] + other_digit(lines[1][-4:-3]) + b'"}\n', *lines[2:]],
        "was changed|no line",
    ),
    "a line is overwritten": (lambda lines: [lines[0], bytes(len(lines[1]) - 1) + b"\n", *lines[2:]], "no line"),
    "a line is removed": (lambda lines: [lines[0], *lines[2:]], r"was removed or moved, before line 2 of"),
    "the first line of a file is removed": (lambda lines: lines[1:], "was removed or moved, before line 1 of"),
    "a line is repeated": (lambda lines: [lines[0], lines[0], *lines[1:]], "Line 2 of .* was inserted or moved"),
    "two lines are swapped": (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "before line 2 of"),
    "a line has no line break": (lambda lines: [*lines[:-1], lines[-1][:-1]], "The last line of .* is cut off"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_every_change_of_lines_is_found(tmp_path: Path, name: str) -> None:
    change, message = TAMPERINGS[name]
    write(tmp_path, 30)
    edit(tmp_path, change)
    with pytest.raises(ChainBroken, match=message):
        verify(tmp_path)


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    head = write(tmp_path, 2)
    (file,) = log_files(tmp_path)
    content = file.read_bytes()
    for place in range(len(content) - 1):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ChainBroken):
            verify(tmp_path, head)


def test_a_line_that_somebody_wrote_without_the_secret_is_found(tmp_path: Path) -> None:
    write(tmp_path, 3)
    with pytest.raises(ChainBroken, match="was changed"):
        verify(tmp_path, secret=AuditSecret(bytes(32)))


@pytest.mark.parametrize("file", [0, 1])
def test_a_removed_file_is_found(tmp_path: Path, file: int) -> None:
    write(tmp_path, 30)
    log_files(tmp_path)[file].unlink()
    with pytest.raises(ChainBroken, match="removed"):
        verify(tmp_path)


def test_a_cut_end_is_found_if_a_later_line_was_noted(tmp_path: Path) -> None:
    head = write(tmp_path, 30)
    edit(tmp_path, lambda lines: lines[:-1], file=-1)
    verify(tmp_path)  # without a note, nothing is wrong
    with pytest.raises(ChainBroken, match=f"The end was cut off: line {head.sequence} was noted"):
        verify(tmp_path, head)


def test_a_cut_end_is_still_found_after_the_next_start(tmp_path: Path) -> None:
    head = write(tmp_path, 30)
    log_files(tmp_path)[-1].unlink()
    later = write(tmp_path, 30, noted=head)
    assert later.sequence > head.sequence
    with pytest.raises(ChainBroken, match="At a start, the end of the log was missing"):
        verify(tmp_path)


def test_a_torn_last_line_is_set_aside_and_the_chain_goes_on(tmp_path: Path) -> None:
    write(tmp_path, 3)
    (file,) = log_files(tmp_path)
    with file.open("ab") as lines:
        lines.write(b'{"seq":5,"time":"20')
    verify(tmp_path)  # it may be being written
    head = write(tmp_path, 3)
    assert file.with_suffix(".torn").read_bytes() == b'{"seq":5,"time":"20'
    assert verify(tmp_path).head == head


def test_a_file_without_a_line_does_not_stop_the_start(tmp_path: Path) -> None:
    head = write(tmp_path, 3)
    (tmp_path / f"{head.sequence + 1:012d}.jsonl").touch()
    verify(tmp_path)
    write(tmp_path, 3)
    verify(tmp_path)


def test_an_overwritten_last_file_is_kept_and_found(tmp_path: Path) -> None:
    head = write(tmp_path, 30)
    log_files(tmp_path)[-1].write_bytes(b"nothing\n")
    write(tmp_path, 3, noted=head)
    with pytest.raises(ChainBroken, match="damaged has no line"):
        verify(tmp_path)


def test_old_files_are_deleted_and_the_rest_can_be_checked(tmp_path: Path) -> None:
    write(tmp_path, 30)
    for file in log_files(tmp_path)[:2]:
        os.utime(file, (time.time() - 400 * 86_400,) * 2)
    kept = log_files(tmp_path)[2]
    write(tmp_path, 1)
    assert log_files(tmp_path)[0] == kept
    assert verify(tmp_path).first == int(kept.stem)
    kept.unlink()
    with pytest.raises(ChainBroken, match="removed from the start"):
        verify(tmp_path)


def test_the_files_together_have_no_more_bytes_than_allowed(tmp_path: Path) -> None:
    write(tmp_path, 200, Keeping(365, total_bytes=6000, file_bytes=1000))
    assert sum(file.stat().st_size for file in log_files(tmp_path)) < 6000 + 2 * 1500
    verify(tmp_path)


def test_a_full_disk_leaves_whole_lines_only(tmp_path: Path) -> None:
    writer = AuditWriter(tmp_path, SECRET, Keeping(365, 2**30), None)
    writer.write([{"event": "change"}])
    size_bytes = log_files(tmp_path)[0].stat().st_size
    with simulate_full_disk(size_bytes + 100), pytest.raises(OSError, match=r"File too large|No space left"):
        writer.write([{"event": "change"}] * 2)
    assert log_files(tmp_path)[0].stat().st_size > size_bytes  # a part of a line
    writer.write([{"event": "change"}])
    writer.close()
    assert verify(tmp_path).head == writer.head


def test_the_files_can_be_read_by_their_owner_only(tmp_path: Path) -> None:
    write(tmp_path, 3)
    create_secret(tmp_path / "secret")
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_a_missing_or_damaged_secret_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AuditUnusable, match="Put the file back"):
        read_secret(tmp_path / "secret")
    (tmp_path / "secret").write_text("short\n")
    with pytest.raises(AuditUnusable, match="is damaged"):
        read_secret(tmp_path / "secret")


def test_a_pseudonym_depends_on_the_secret_the_collection_and_the_subject() -> None:
    pseudonyms = {
        SECRET.pseudonym("friends", "anna"),
        SECRET.pseudonym("family", "anna"),
        SECRET.pseudonym("friends", "berta"),
        SECRET.pseudonym("friends"),
        AuditSecret(bytes(32)).pseudonym("friends", "anna"),
    }
    assert {len(pseudonym) for pseudonym in pseudonyms} == {32}
    assert len(pseudonyms) == 5
