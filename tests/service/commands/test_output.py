"""What commands print and write: hostile names do no harm, and nothing is overwritten."""

import csv
import io
import stat
from pathlib import Path

import pytest
import typer

from service.commands.output import INTERRUPTED, csv_text, explains_interrupt, printable, require_new, write_text
from service.domain.command_errors import FileNotWritten
from tests.support.commands import run_for_nobody


@pytest.mark.parametrize("name", ["caf\udce9.jpg", "a\x1b[2Jb\nc\rd\x07", "x\x85y", "\x00"])
def test_a_printed_name_has_no_control_characters(name: str) -> None:
    text = printable(name)
    text.encode()
    assert text.isprintable()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", " =1", "=cmd|' /C calc'!A0"])
def test_a_cell_that_a_spreadsheet_would_compute_gets_an_apostrophe(text: str) -> None:
    (row,) = list(csv.reader(io.StringIO(csv_text(["name"], [[text]]))))[1:]
    assert row[0].startswith("'")


def test_numbers_and_quotes_are_read_back_as_they_were() -> None:
    rows = csv.reader(io.StringIO(csv_text(["a", "b", "c"], [['x "y", z', -0.5, None]])))
    assert list(rows) == [["a", "b", "c"], ['x "y", z', "-0.5", ""]]


def test_every_row_is_one_line() -> None:
    assert csv_text(["a"], [["x\ny"]]).splitlines() == ["a", "x y"]


def test_a_written_file_is_for_its_owner_only_and_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    write_text(file, "first")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(FileNotWritten, match="exists already"):
        write_text(file, "second")
    with pytest.raises(FileNotWritten, match="exists already"):
        require_new(None, file)
    assert file.read_text() == "first"


def test_a_file_in_a_folder_that_does_not_exist_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotWritten, match="cannot be written"):
        write_text(tmp_path / "missing" / "a.csv", "")
    with pytest.raises(FileNotWritten, match="cannot be written"):
        require_new(tmp_path / "missing" / "a.csv")


def test_after_an_interrupt_the_command_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, explains_interrupt("Run it again."):
        raise KeyboardInterrupt
    assert ended.value.exit_code == INTERRUPTED
    assert capsys.readouterr().err == "facenet: Stopped. Run it again.\n"


@pytest.mark.parametrize("arguments", [("settings",), ("keys", "--help"), ("--version",)])
def test_a_command_whose_output_nobody_reads_ends_without_a_word(arguments: tuple[str, ...]) -> None:
    assert run_for_nobody(*arguments) == (1, "")
