import shutil
from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation.experiments.ytf import compare_tracks, evaluate_ytf, read_frames, read_splits
from models.evaluation.reports.report import to_png
from service.domain.distances import FACENET_THRESHOLD_SQ_L2, squared_l2, unit
from service.pipeline.opening import PipelineOptions
from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.slow

SPLITS = """split number, first name, second name, is same
1, O/0, O/1, 1
1, O/0, B/2, 0
2, O/1, O/0, 1
2, B/2, O/1, 0
"""


@pytest.fixture
def folder(photographs: Path, tmp_path: Path) -> Path:
    """Return a folder with two tracks of Obama and one of Biden, in the layout of the published set."""
    tracks: dict[str, list[str | None]] = {
        "O/0": ["obama/obama.jpg", None, "obama/obama2.jpg"],
        "O/1": ["obama/obama3.jpg"],
        "B/2": [None, "biden/biden.jpg"],
    }
    for track, sources in tracks.items():
        track_folder = tmp_path / "ytf" / "aligned_images_DB" / track
        track_folder.mkdir(parents=True)
        for number, source in zip((9, 10, 101), sources, strict=False):
            frame = track_folder / f"aligned_detect_{track[-1]}.{number}.jpg"
            frame.write_bytes(png_without_face() if source is None else (photographs / source).read_bytes())
    (tmp_path / "ytf" / "splits.txt").write_text(SPLITS, "utf-8")
    return tmp_path / "ytf"


def test_the_published_format_of_the_list_can_be_read(folder: Path) -> None:
    pair_list = read_splits(folder)

    assert [track.as_posix() for track in pair_list.images] == ["B/2", "O/0", "O/1"]
    assert (pair_list.left.tolist(), pair_list.right.tolist()) == ([1, 1, 2, 0], [2, 0, 1, 2])
    assert pair_list.same.tolist() == [True, False, True, False]
    assert pair_list.folds.tolist() == [1, 1, 2, 2]


def test_a_list_without_a_header_loses_no_pair(folder: Path) -> None:
    (folder / "splits.txt").write_text(SPLITS.split("\n", 1)[1], "utf-8")

    assert len(read_splits(folder).same) == 4


def test_a_list_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"splits\.txt cannot be read \(No such file or directory\)"):
        read_splits(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "split\n1, O, O/1, 1\n", "split\n1, O/0, O/1\n", "split\n1, O/0, O/1, yes\n", "x\n"]
)
def test_a_list_of_another_format_is_refused(folder: Path, text: str) -> None:
    (folder / "splits.txt").write_text(text, "utf-8")

    with pytest.raises(
        DatasetError, match=r"splits\.txt is not a list of pairs .* Each line must be SPLIT, PERSON/VIDEO"
    ):
        read_splits(folder)


def test_frames_are_in_the_order_of_their_numbers(folder: Path) -> None:
    assert [file.name for file in read_frames(folder, Path("O/0"))] == [
        "aligned_detect_0.9.jpg",
        "aligned_detect_0.10.jpg",
        "aligned_detect_0.101.jpg",
    ]


def test_the_distance_of_two_tracks_is_the_mean_over_all_pairs_of_frames(folder: Path) -> None:
    rng = np.random.default_rng(0)
    tracks = [unit(rng.normal(size=(count, 16)).astype(np.float32)) for count in (5, 7, 3)]

    pairs = compare_tracks(np.stack([track.mean(axis=0, dtype=np.float64) for track in tracks]), read_splits(folder))

    expected = [squared_l2(tracks[left], tracks[right]).mean() for left, right in ((1, 2), (1, 0), (2, 1), (0, 2))]
    np.testing.assert_allclose(pairs.distances, expected, atol=1e-6)


def test_tracks_of_real_photographs_are_decided_correctly(options: PipelineOptions, folder: Path) -> None:
    done: list[None] = []

    measured = evaluate_ytf(options, folder, 100, read_splits(folder), lambda: done.append(None))

    assert len(done) == 3
    assert (measured.pairs.distances < FACENET_THRESHOLD_SQ_L2).tolist() == [True, False, True, False]
    assert measured.numbers()["accuracy"] == 1.0
    assert ("accuracy", "100.00 ± 0.00 %") in measured.rows()
    assert to_png(measured.draw()).startswith(b"\x89PNG")


def test_the_first_frames_with_a_face_are_embedded(options: PipelineOptions, folder: Path) -> None:
    limited = evaluate_ytf(options, folder, 1, read_splits(folder), lambda: None)

    track = folder / "aligned_images_DB" / "O" / "0"
    (track / "aligned_detect_0.101.jpg").unlink()
    shutil.copy(track / "aligned_detect_0.10.jpg", track / "aligned_detect_0.3.jpg")
    expected = evaluate_ytf(options, folder, 100, read_splits(folder), lambda: None)

    np.testing.assert_allclose(limited.pairs.distances, expected.pairs.distances, atol=1e-5)


def test_a_track_without_frames_or_without_a_face_is_an_error(options: PipelineOptions, folder: Path) -> None:
    track = folder / "aligned_images_DB" / "O" / "1"
    (track / "aligned_detect_1.9.jpg").write_bytes(png_without_face())
    with pytest.raises(DatasetError, match=r"No face was found in any of the 1 frames of .*O/1\. Remove the pairs"):
        evaluate_ytf(options, folder, 100, read_splits(folder), lambda: None)

    shutil.rmtree(track)
    with pytest.raises(DatasetError, match=r"O/1 holds no frames\. It should hold aligned_detect_1\.FRAME\.jpg"):
        evaluate_ytf(options, folder, 100, read_splits(folder), lambda: None)


def test_a_frame_without_its_number_is_an_error(folder: Path) -> None:
    (folder / "aligned_images_DB" / "O" / "1" / "cover.jpg").touch()

    with pytest.raises(DatasetError, match=r"The name of .*cover\.jpg must be aligned_detect_VIDEO\.FRAME\.jpg"):
        read_frames(folder, Path("O/1"))


def test_a_list_of_one_split_is_refused(options: PipelineOptions, folder: Path) -> None:
    (folder / "splits.txt").write_text(SPLITS.replace("\n2,", "\n1,"), "utf-8")

    with pytest.raises(DatasetError, match="The list has one split"):
        evaluate_ytf(options, folder, 100, read_splits(folder), lambda: None)
