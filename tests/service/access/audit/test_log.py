"""The audit log of a running service: entries of all threads, a full disk, too many refusals."""

from itertools import groupby
from pathlib import Path

import anyio
import pytest
from structlog.testing import capture_logs

from service.access.audit.files import Keeping
from service.access.audit.limits import LINES_PER_WINDOW
from service.access.audit.log import MAX_WAITING, AuditLog
from service.access.audit.search import LineFilter, find_lines, find_receipt
from service.access.audit.secret import read_secret
from service.access.audit.verification import Verification
from service.domain.command_errors import AuditUnusable
from service.domain.errors import StorageUnavailable
from tests.support.full_disk import simulate_full_disk


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path / "audit", tmp_path / "audit" / "secret", Keeping(365, 2**30))


def events(folder: Path) -> list[str]:
    return [fields["event"] for fields in find_lines(folder, LineFilter())]


async def test_a_receipt_is_found_behind_a_damaged_line_and_beside_another_file(tmp_path: Path, log: AuditLog) -> None:
    with log.open(None):
        for _ in range(3):
            head = await log.record_change({"event": "change", "method": "DELETE"})
    (file,) = (tmp_path / "audit").glob("*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([lines[0], b"\xff{\n", *lines[2:]]))
    (tmp_path / "audit" / "old.jsonl").write_text("x")
    assert head is not None
    assert find_receipt(tmp_path / "audit", read_secret(tmp_path / "audit" / "secret"), head.receipt)


async def test_the_lines_of_a_key_are_those_of_its_requests_and_of_its_own_changes(
    tmp_path: Path, log: AuditLog
) -> None:
    changes = [{"key": "a" * 12, "status": 1}, {"key": "b" * 12, "status": 2}]
    changes += [{"key": "b" * 12, "changed_key": "a" * 12, "status": 3}, {"status": 4}]
    with log.open(None):
        for fields in changes:
            await log.record_change({"event": "change", "method": "PUT", **fields})
    found = find_lines(tmp_path / "audit", LineFilter(key="a" * 12))
    assert [fields["status"] for fields in found] == [1, 3]


async def test_a_change_is_written_before_it_is_acknowledged(tmp_path: Path, log: AuditLog) -> None:
    with log.open(None):
        head = await log.record_change({"event": "change", "method": "DELETE"})
        assert events(tmp_path / "audit") == ["file", "change"]
        assert head is not None
        secret = read_secret(tmp_path / "audit" / "secret")
        assert find_receipt(tmp_path / "audit", secret, head.receipt)
        assert not find_receipt(tmp_path / "audit", secret, head.receipt[:-1] + "x")
        forged = head.receipt[:-1] + ("0" if head.receipt[-1] != "0" else "1")
        assert not find_receipt(tmp_path / "audit", secret, forged)


async def test_all_entries_are_written_at_the_end(tmp_path: Path, log: AuditLog) -> None:
    with log.open(None):
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(log.record_change, {"event": "change"})
                log.record({"event": "decision"})
    assert sorted(events(tmp_path / "audit")) == ["change"] * 50 + ["decision"] * 50 + ["file"]
    assert log.head.sequence == 101
    Verification(log.secret, [log.head], lambda _: None).run(tmp_path / "audit")


async def test_a_full_disk_refuses_changes_and_keeps_the_lines(tmp_path: Path, log: AuditLog) -> None:
    with capture_logs() as lines, log.open(None):
        with simulate_full_disk(10):
            assert await log.record_change({"event": "change"}) is None
            with pytest.raises(StorageUnavailable):
                log.require_writable()
            for _ in range(MAX_WAITING + 5):
                log.record({"event": "decision"})
        assert await log.record_change({"event": "change"}) is not None
        log.require_writable()
    logged = [
        event for event, _ in groupby(line["event"] for line in lines)
    ]  # the log of another app may fail meanwhile
    assert logged == ["audit_log_not_written", "audit_log_written"]
    written = events(tmp_path / "audit")
    assert written.count("change") == 2
    lost = [fields["lines"] for fields in find_lines(tmp_path / "audit", LineFilter()) if fields["event"] == "lost"]
    assert written.count("decision") + sum(lost) == MAX_WAITING + 5  # no line is lost without being counted


async def test_a_log_that_was_moved_away_refuses_changes(tmp_path: Path, log: AuditLog) -> None:
    with log.open(None):
        (tmp_path / "audit").rename(tmp_path / "elsewhere")
        assert await log.record_change({"event": "change"}) is None
        with pytest.raises(StorageUnavailable):
            log.require_writable()
        (tmp_path / "elsewhere").rename(tmp_path / "audit")


async def test_many_refusals_do_not_fill_the_log(tmp_path: Path, log: AuditLog) -> None:
    with log.open(None):
        for _ in range(LINES_PER_WINDOW + 50):
            log.record_refusal({"event": "refusal"})
    assert events(tmp_path / "audit").count("refusal") == LINES_PER_WINDOW


def test_a_log_without_its_secret_is_not_opened(tmp_path: Path, log: AuditLog) -> None:
    with log.open(None):
        pass
    (tmp_path / "audit" / "secret").unlink()
    with pytest.raises(AuditUnusable, match="Put the file back"), log.open(None):
        pass


def test_lines_about_a_subject_are_found_by_its_id(tmp_path: Path, log: AuditLog) -> None:
    with log.open(None):
        for subject in ("anna", "berta"):
            log.record({"event": "decision", "subjects": [log.secret.pseudonym("friends", subject)]})
    assert len(list(log.lines_about("friends", "anna"))) == 1
    assert list(log.lines_about("friends", "carla")) == []
    assert b"anna" not in b"".join(path.read_bytes() for path in (tmp_path / "audit").iterdir())
