import shutil
from pathlib import Path

import pytest

from models.errors import DatasetError
from models.evaluation.photographs.no_face import evaluate_no_face
from models.evaluation.photographs.pictures import list_pictures
from models.evaluation.reports.report import to_png
from service.pipeline.opening import PipelineOptions
from tests.support.sample_images import png_without_face


@pytest.fixture
def folder(photographs: Path, tmp_path: Path) -> Path:
    """Return a folder with a picture without a face, and with a face in a subfolder."""
    (tmp_path / "people").mkdir()
    (tmp_path / "meadow.png").write_bytes(png_without_face())
    (tmp_path / "notes.txt").write_text("no picture", "utf-8")
    shutil.copy(photographs / "biden" / "biden.jpg", tmp_path / "people" / "BIDEN.JPG")
    return tmp_path


def test_pictures_are_listed_in_all_subfolders(folder: Path) -> None:
    assert [file.name for file in list_pictures(folder)] == ["meadow.png", "BIDEN.JPG"]


@pytest.mark.parametrize("name", ["people/none", "nowhere"])
def test_a_folder_without_pictures_is_an_error(folder: Path, name: str) -> None:
    (folder / "people" / "none").mkdir()

    with pytest.raises(DatasetError, match="holds no pictures"):
        list_pictures(folder / name)


def test_a_picture_with_a_face_is_counted_and_shown_with_its_scores(options: PipelineOptions, folder: Path) -> None:
    done: list[None] = []

    measured = evaluate_no_face(options, list_pictures(folder), lambda: done.append(None))

    assert len(done) == measured.pictures == 2
    (taken,) = measured.taken
    assert taken.file.name == "BIDEN.JPG"
    assert taken.faces[0].score > 0.9
    assert measured.rows()[:2] == [("pictures without a face", "2"), ("a face is found in", "1 (50.0 %)")]
    assert "BIDEN.JPG" in taken.to_tile().caption
    assert to_png(measured.draw()).startswith(b"\x89PNG")


def test_the_picture_can_be_drawn_without_a_face(options: PipelineOptions, folder: Path) -> None:
    measured = evaluate_no_face(options, [folder / "meadow.png"], lambda: None)

    assert measured.numbers() == {"pictures": 1, "taken": []}
    assert to_png(measured.draw()).startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_read_is_an_error(options: PipelineOptions, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")

    with pytest.raises(DatasetError, match=r"broken\.png cannot be used"):
        evaluate_no_face(options, list_pictures(tmp_path), lambda: None)
