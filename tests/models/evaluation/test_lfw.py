import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation import lfw as benchmark
from models.evaluation.pairs import Pairs, read_pairs
from service.pipeline import PipelineOptions
from tests.pictures import meadow


@pytest.fixture
def images(photographs: Path, tmp_path: Path) -> Path:
    """Obama twice and Biden, named as LFW names them."""
    for name, number, source in (
        ("O", 1, "obama/obama.jpg"),
        ("O", 2, "obama/obama2.jpg"),
        ("B", 1, "biden/biden.jpg"),
    ):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(photographs / source, folder / f"{name}_{number:04d}.jpg")
    return tmp_path / "images"


@pytest.fixture
def pairs(tmp_path: Path) -> Pairs:
    """Two folds of a pair of one person and a pair of two."""
    file = tmp_path / "pairs.txt"
    file.write_text("2\t1\nO\t1\t2\nO\t1\tB\t1\nO\t2\t1\nO\t2\tB\t1\n", "utf-8")
    return read_pairs(file)


def test_real_photographs_are_told_apart(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    embedded: list[None] = []

    report = benchmark.evaluate(options, images, pairs, lambda: embedded.append(None))

    assert len(embedded) == 3
    assert (report.distances < benchmark.FACENET_THRESHOLD).tolist() == [True, False, True, False]
    assert report.distances[0] == pytest.approx(report.distances[2])
    assert report.cross_validation.mean == 1.0


def test_a_missing_photograph_is_an_error(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    (images / "O" / "O_0002.jpg").unlink()

    with pytest.raises(DatasetError, match=r"1 of 3 photographs are missing, the first is .*O_0002\.jpg"):
        benchmark.evaluate(options, images, pairs, lambda: None)


def test_a_photograph_without_a_face_is_an_error(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    (images / "B" / "B_0001.jpg").write_bytes(meadow())

    with pytest.raises(DatasetError, match=r"No face was found in 1 photographs, the first is .*B_0001\.jpg"):
        benchmark.evaluate(options, images, pairs, lambda: None)


def test_a_photograph_that_cannot_be_read_is_an_error(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    (images / "B" / "B_0001.jpg").write_bytes(b"not a photograph")

    with pytest.raises(DatasetError, match=r"B_0001\.jpg cannot be used"):
        benchmark.evaluate(options, images, pairs, lambda: None)


def test_the_report_is_written_as_figures_distances_and_a_picture(pairs: Pairs, tmp_path: Path) -> None:
    report = benchmark.Report(pairs, np.array([0.5, 1.6, 0.6, 1.5], np.float32))

    benchmark.write(report, tmp_path / "out", {"embedder": "sface"})

    content = json.loads((tmp_path / "out" / "lfw.json").read_text("utf-8"))
    assert content["settings"] == {"embedder": "sface"}
    assert content["figures"]["accuracy"] == 1.0
    assert content["roc"]["far"] == [0.0, 0.5]
    with np.load(tmp_path / "out" / "lfw.npz") as written:
        assert written["distances"].tolist() == report.distances.tolist()
        assert written["right"].tolist() == ["O/O_0002.jpg", "B/B_0001.jpg", "O/O_0001.jpg", "B/B_0001.jpg"]
    assert (tmp_path / "out" / "lfw.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_says_what_was_measured(pairs: Pairs) -> None:
    lines = dict(benchmark.Report(pairs, np.array([0.5, 1.6, 0.6, 1.5], np.float32)).lines())

    assert lines["accuracy"] == "100.00 ± 0.00 %"
    assert lines["accuracy at 1.242"] == "100.00 %"
    assert lines["VAL at FMR 0.001"] == "100.00 %"


def test_a_list_of_one_fold_is_refused(options: PipelineOptions, images: Path, tmp_path: Path) -> None:
    file = tmp_path / "one_fold.txt"
    file.write_text("1\nO\t1\t2\nO\t1\tB\t1\n", "utf-8")

    with pytest.raises(DatasetError, match="The list has one fold"):
        benchmark.evaluate(options, images, read_pairs(file), lambda: None)


@pytest.mark.lfw
def test_a_slice_of_lfw_is_decided_as_the_whole_is(options: PipelineOptions, lfw: Path, tmp_path: Path) -> None:
    lines = (lfw / "pairs.txt").read_text("utf-8").splitlines()
    file = tmp_path / "pairs.txt"
    starts = (1, 301, 601, 901)  # 300 pairs of one person and 300 of two, twice
    file.write_text("\n".join(["2\t8", *(line for start in starts for line in lines[start : start + 8])]), "utf-8")

    report = benchmark.evaluate(options, lfw / "images", read_pairs(file), lambda: None)

    assert report.figures()["accuracy_at_1.242"] == 1.0
