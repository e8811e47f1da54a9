import io
import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from models.commands.photographs import app
from models.errors import DatasetError

pytestmark = pytest.mark.slow


def _run(name: str, *arguments: str | Path, out: Path) -> dict[str, object]:
    """Run a command, check its picture and its table, and return the figures of its JSON file."""
    done = CliRunner().invoke(app, [name, *map(str, arguments), "--out", str(out)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "━" in done.stdout
    assert min(Image.open(io.BytesIO((out / f"{name}.png").read_bytes())).size) > 30
    content = json.loads((out / f"{name}.json").read_text("utf-8"))
    assert content["settings"]["models"][-2:] == ["yunet", "onet"]
    figures: dict[str, object] = content["figures"]
    return figures


def test_turned_draws_pairs_of_the_list(images: Path, pairs_file: Path, tmp_path: Path) -> None:
    figures = _run("turned", "--images", images, "--pairs", pairs_file, "--per-kind", "1", out=tmp_path)

    assert (figures["mated_pairs"], figures["non_mated_pairs"]) == (1, 1)
    assert figures["turns_deg"] == [0, 90, 120, 150, 180, 270]


def test_recall_takes_the_options_of_the_search(images: Path, tmp_path: Path) -> None:
    options = ("--megapixels", "1", "--max-side-px", "640", "--min-face-px", "60")

    figures = _run("recall", "--images", images, "--faces", "2", *options, out=tmp_path)

    assert (figures["max_side_px"], figures["min_face_px"]) == (640, 60)


def test_close_ups_and_no_face_write_their_reports(images: Path, tmp_path: Path) -> None:
    assert _run("close-ups", "--images", images, "--count", "1", out=tmp_path)["photographs"] == 1
    assert _run("no-face", images, out=tmp_path)["pictures"] == 3


def test_reject_compares_two_photographs_of_each_person(people: Path, tmp_path: Path) -> None:
    figures = _run("reject", people, out=tmp_path)

    assert figures["probes"]["as they are"] == 20  # type: ignore[index]  # an object of JSON


def test_too_few_people_are_refused(images: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="of 2 people that show one face, and 4 are needed"):
        _run("close-ups", "--images", images, "--count", "2", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
