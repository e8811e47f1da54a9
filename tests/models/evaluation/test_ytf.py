import shutil
from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation import ytf
from models.evaluation.report import png
from models.evaluation.ytf import mean_distances, read_frames, read_splits
from service.distances import squared_l2, unit
from service.pipeline import PipelineOptions
from tests.pictures import meadow

SPLITS = """split number, first name, second name, is same
1, O/0, O/1, 1
1, O/0, B/2, 0
2, O/1, O/0, 1
2, B/2, O/1, 0
"""


@pytest.fixture
def folder(photographs: Path, tmp_path: Path) -> Path:
    """Two tracks of Obama and one of Biden, laid out as the set is published."""
    tracks: dict[str, list[str | None]] = {
        "O/0": ["obama/obama.jpg", None, "obama/obama2.jpg"],
        "O/1": ["obama/obama3.jpg"],
        "B/2": [None, "biden/biden.jpg"],
    }
    for track, sources in tracks.items():
        there = tmp_path / "ytf" / "aligned_images_DB" / track
        there.mkdir(parents=True)
        for number, source in zip((9, 10, 101), sources, strict=False):
            frame = there / f"aligned_detect_{track[-1]}.{number}.jpg"
            frame.write_bytes(meadow() if source is None else (photographs / source).read_bytes())
    (tmp_path / "ytf" / "splits.txt").write_text(SPLITS, "utf-8")
    return tmp_path / "ytf"


def test_the_list_is_read_as_it_is_published(folder: Path) -> None:
    pairs = read_splits(folder)

    assert [track.as_posix() for track in pairs.images] == ["B/2", "O/0", "O/1"]
    assert (pairs.left.tolist(), pairs.right.tolist()) == ([1, 1, 2, 0], [2, 0, 1, 2])
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.folds.tolist() == [1, 1, 2, 2]


def test_a_list_without_names_of_columns_loses_no_pair(folder: Path) -> None:
    (folder / "splits.txt").write_text(SPLITS.split("\n", 1)[1], "utf-8")

    assert len(read_splits(folder).same) == 4


def test_a_list_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"splits\.txt cannot be read \(No such file or directory\)"):
        read_splits(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "split\n1, O, O/1, 1\n", "split\n1, O/0, O/1\n", "split\n1, O/0, O/1, yes\n", "x\n"]
)
def test_another_kind_of_list_is_refused(folder: Path, text: str) -> None:
    (folder / "splits.txt").write_text(text, "utf-8")

    with pytest.raises(DatasetError, match=r"splits\.txt is not a list of pairs .* A line is SPLIT, PERSON/VIDEO"):
        read_splits(folder)


def test_frames_are_in_the_order_of_their_numbers(folder: Path) -> None:
    assert [file.name for file in read_frames(folder, Path("O/0"))] == [
        "aligned_detect_0.9.jpg",
        "aligned_detect_0.10.jpg",
        "aligned_detect_0.101.jpg",
    ]


def test_the_mean_over_all_pairs_of_frames_needs_no_pair(folder: Path) -> None:
    rng = np.random.default_rng(0)
    tracks = [unit(rng.normal(size=(count, 16)).astype(np.float32)) for count in (5, 7, 3)]

    found = mean_distances(np.stack([track.mean(axis=0, dtype=np.float64) for track in tracks]), read_splits(folder))

    expected = [squared_l2(tracks[left], tracks[right]).mean() for left, right in ((1, 2), (1, 0), (2, 1), (0, 2))]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_tracks_of_real_photographs_are_told_apart(options: PipelineOptions, folder: Path) -> None:
    done: list[None] = []

    measured = ytf.evaluate(options, folder, 100, read_splits(folder), lambda: done.append(None))

    assert len(done) == 3
    assert (measured.distances < 1.242).tolist() == [True, False, True, False]
    assert measured.figures()["accuracy"] == 1.0
    assert ("accuracy", "100.00 ± 0.00 %") in measured.rows()
    assert png(measured.draw()).startswith(b"\x89PNG")


def test_the_first_frames_with_a_face_are_taken(options: PipelineOptions, folder: Path) -> None:
    few = ytf.evaluate(options, folder, 1, read_splits(folder), lambda: None)

    track = folder / "aligned_images_DB" / "O" / "0"
    (track / "aligned_detect_0.101.jpg").unlink()
    shutil.copy(track / "aligned_detect_0.10.jpg", track / "aligned_detect_0.3.jpg")
    same = ytf.evaluate(options, folder, 100, read_splits(folder), lambda: None)

    np.testing.assert_allclose(few.distances, same.distances, atol=1e-5)


def test_a_track_without_frames_or_without_a_face_is_an_error(options: PipelineOptions, folder: Path) -> None:
    track = folder / "aligned_images_DB" / "O" / "1"
    (track / "aligned_detect_1.9.jpg").write_bytes(meadow())
    with pytest.raises(DatasetError, match=r"No face was found in any of the 1 frames of .*O/1\. Remove its pairs"):
        ytf.evaluate(options, folder, 100, read_splits(folder), lambda: None)

    shutil.rmtree(track)
    with pytest.raises(DatasetError, match=r"O/1 holds no frames\. It should hold aligned_detect_1\.FRAME\.jpg"):
        ytf.evaluate(options, folder, 100, read_splits(folder), lambda: None)


def test_a_frame_without_its_number_is_an_error(folder: Path) -> None:
    (folder / "aligned_images_DB" / "O" / "1" / "cover.jpg").touch()

    with pytest.raises(DatasetError, match=r"cover\.jpg is not named aligned_detect_VIDEO\.FRAME\.jpg"):
        read_frames(folder, Path("O/1"))


def test_a_list_of_one_split_is_refused(options: PipelineOptions, folder: Path) -> None:
    (folder / "splits.txt").write_text(SPLITS.replace("\n2,", "\n1,"), "utf-8")

    with pytest.raises(DatasetError, match="The list has one split"):
        ytf.evaluate(options, folder, 100, read_splits(folder), lambda: None)
