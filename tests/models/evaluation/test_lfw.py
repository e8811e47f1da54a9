import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation import lfw as benchmark
from models.evaluation.metrics import FACENET_THRESHOLD
from models.evaluation.pairs import Pairs, read_pairs
from service.domain import Embeddings
from service.pipeline import PipelineOptions
from tests.pictures import meadow

Found = tuple[Embeddings, list[int]]


def test_real_photographs_are_told_apart(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    embedded: list[None] = []

    report = benchmark.evaluate(options, images, pairs, lambda: embedded.append(None))

    assert len(embedded) == 3
    assert (report.distances < FACENET_THRESHOLD).tolist() == [True, False, True, False]
    assert report.distances[0] == pytest.approx(report.distances[2])
    assert report.cross_validation.mean == 1.0


def test_a_missing_photograph_is_an_error(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    (images / "O" / "O_0002.jpg").unlink()

    with pytest.raises(DatasetError, match=r"1 of 3 photographs are missing, the first is .*O_0002\.jpg\. --images"):
        benchmark.evaluate(options, images, pairs, lambda: None)


def test_a_photograph_without_a_face_is_an_error(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    (images / "B" / "B_0001.jpg").write_bytes(meadow())

    with pytest.raises(
        DatasetError, match=r"No face was found in 1 photographs, the first is .*B_0001\.jpg\. .*--crop centre"
    ):
        benchmark.evaluate(options, images, pairs, lambda: None)


def test_a_photograph_that_cannot_be_read_is_an_error(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    (images / "B" / "B_0001.jpg").write_bytes(b"not a photograph")

    with pytest.raises(DatasetError, match=r"B_0001\.jpg cannot be used \(.*\)\. Replace it or remove it\."):
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


def test_the_picture_begins_at_the_lowest_val_that_is_shown() -> None:
    rows = np.arange(3000)
    same = np.repeat([True, False], 1500)
    pairs = Pairs(tuple(Path(f"{row}.jpg") for row in rows), rows, rows, same, rows % 2)
    weak = np.concatenate([np.linspace(0, 2, 1500), np.linspace(0.4, 2, 1500)]).astype(np.float32)

    (axes,) = benchmark.Report(pairs, weak).draw().axes

    assert axes.get_ylim() == pytest.approx((0.2 - 0.02, 1.005), abs=1e-3)
    assert axes.get_title().startswith("LFW: ")


def test_what_cannot_be_told_whole_is_not_written(pairs: Pairs, tmp_path: Path) -> None:
    report = benchmark.Report(pairs, np.array([0.5, 1.6, 0.6, 1.5], np.float32))

    with pytest.raises(TypeError, match="not JSON serializable"):
        benchmark.write(report, tmp_path / "out", {"embedder": b"sface"})  # type: ignore[dict-item]
    assert not (tmp_path / "out").exists()


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


def test_the_crop_is_another_way_to_embed_the_same_files(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    def by_hand(_options: PipelineOptions, files: Sequence[Path], _done: Callable[[], object]) -> Found:
        assert [file.relative_to(images) for file in files] == list(pairs.images)
        return np.array([[1, 0], [1, 0], [0, 1]], np.float32), [0, 1, 2]

    report = benchmark.evaluate(options, images, pairs, lambda: None, by_hand)

    assert report.distances.tolist() == [2, 0, 2, 2]


@pytest.mark.lfw
def test_a_slice_of_lfw_is_decided_as_the_whole_is(options: PipelineOptions, lfw: Path, tmp_path: Path) -> None:
    lines = (lfw / "pairs.txt").read_text("utf-8").splitlines()
    file = tmp_path / "pairs.txt"
    starts = (1, 301, 601, 901)  # 300 pairs of one person and 300 of two, twice
    file.write_text("\n".join(["2\t8", *(line for start in starts for line in lines[start : start + 8])]), "utf-8")

    report = benchmark.evaluate(options, lfw / "images", read_pairs(file), lambda: None)

    assert report.figures()["accuracy_at_1.242"] == 1.0
