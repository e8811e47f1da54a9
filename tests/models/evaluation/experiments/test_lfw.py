import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation.data.pairs import PairList, read_pair_lists
from models.evaluation.experiments.lfw import LfwReport, evaluate_lfw, write_lfw_report
from service.domain.distances import FACENET_THRESHOLD_SQ_L2
from service.domain.embedding import Embeddings
from service.pipeline.opening import PipelineOptions
from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.slow

EmbeddingsAndRows = tuple[Embeddings, list[int]]


def _report(pair_list: PairList) -> LfwReport:
    """Return a report in which all distances are on the right side of 1.242."""
    return LfwReport(pair_list, pair_list.label(np.array([0.5, 1.6, 0.6, 1.5], np.float32)))


def test_real_photographs_are_decided_correctly(options: PipelineOptions, images: Path, pair_list: PairList) -> None:
    embedded: list[None] = []

    report = evaluate_lfw(options, images, pair_list, lambda: embedded.append(None))

    assert len(embedded) == 3
    assert (report.pairs.distances < FACENET_THRESHOLD_SQ_L2).tolist() == [True, False, True, False]
    assert report.pairs.distances[0] == pytest.approx(report.pairs.distances[2])
    assert report.cross_validation.accuracy.value == 1.0


def test_a_missing_photograph_is_an_error(options: PipelineOptions, images: Path, pair_list: PairList) -> None:
    (images / "O" / "O_0002.jpg").unlink()

    with pytest.raises(
        DatasetError, match=r"1 of 3 photographs are missing\. The first is .*O_0002\.jpg\. Give --images"
    ):
        evaluate_lfw(options, images, pair_list, lambda: None)


def test_a_photograph_without_a_face_is_an_error(options: PipelineOptions, images: Path, pair_list: PairList) -> None:
    (images / "B" / "B_0001.jpg").write_bytes(png_without_face())

    with pytest.raises(
        DatasetError, match=r"No face was found in 1 photographs\. The first is .*B_0001\.jpg\. .*--crop centre"
    ):
        evaluate_lfw(options, images, pair_list, lambda: None)


def test_a_photograph_that_cannot_be_read_is_an_error(
    options: PipelineOptions, images: Path, pair_list: PairList
) -> None:
    (images / "B" / "B_0001.jpg").write_bytes(b"not a photograph")

    with pytest.raises(DatasetError, match=r"B_0001\.jpg cannot be used \(.*\)\. Replace it or remove it\."):
        evaluate_lfw(options, images, pair_list, lambda: None)


def test_the_report_is_written_as_numbers_distances_and_a_picture(pair_list: PairList, tmp_path: Path) -> None:
    report = _report(pair_list)

    write_lfw_report(report, tmp_path / "out", {"embedder": "sface"})

    content = json.loads((tmp_path / "out" / "lfw.json").read_text("utf-8"))
    assert content["settings"] == {"embedder": "sface"}
    assert content["figures"]["accuracy"] == 1.0
    assert content["roc"]["fmr"] == [0.0, 0.5]
    with np.load(tmp_path / "out" / "lfw.npz") as written:
        assert written["distances"].tolist() == report.pairs.distances.tolist()
        assert written["right"].tolist() == ["O/O_0002.jpg", "B/B_0001.jpg", "O/O_0001.jpg", "B/B_0001.jpg"]
    assert (tmp_path / "out" / "lfw.png").read_bytes().startswith(b"\x89PNG")


def test_the_picture_begins_just_below_its_lowest_val() -> None:
    rows = np.arange(3000)
    same = np.repeat([True, False], 1500)
    pair_list = PairList(tuple(Path(f"{row}.jpg") for row in rows), rows, rows, same, rows % 2)
    distances = np.concatenate([np.linspace(0, 2, 1500), np.linspace(0.4, 2, 1500)]).astype(np.float32)

    (axes,) = LfwReport(pair_list, pair_list.label(distances)).draw().axes

    assert axes.get_ylim() == pytest.approx((0.2 - 0.02, 1.005), abs=1e-3)
    assert axes.get_title().startswith("LFW: ")


def test_nothing_is_written_if_a_file_cannot_be_made(pair_list: PairList, tmp_path: Path) -> None:
    report = _report(pair_list)

    with pytest.raises(TypeError, match="not JSON serializable"):
        write_lfw_report(report, tmp_path / "out", {"embedder": b"sface"})  # type: ignore[dict-item]
    assert not (tmp_path / "out").exists()


def test_the_table_has_accuracy_and_val(pair_list: PairList) -> None:
    _, *rows = _report(pair_list).rows()

    assert ("accuracy", "100.00 ± 0.00 %") in rows
    assert ("accuracy at 1.242", "100.00 %") in rows
    assert ("VAL at FMR 0.001", "not measured: 2 pairs of two people") in rows


def test_a_list_of_one_fold_is_refused(options: PipelineOptions, images: Path, tmp_path: Path) -> None:
    file = tmp_path / "one_fold.txt"
    file.write_text("1\nO\t1\t2\nO\t1\tB\t1\n", "utf-8")

    with pytest.raises(DatasetError, match="The list has one fold"):
        evaluate_lfw(options, images, read_pair_lists(file), lambda: None)


def test_another_way_to_embed_gets_the_same_files(options: PipelineOptions, images: Path, pair_list: PairList) -> None:
    def embed_fixed(_options: PipelineOptions, files: Sequence[Path], _done: Callable[[], object]) -> EmbeddingsAndRows:
        assert [file.relative_to(images) for file in files] == list(pair_list.images)
        return np.array([[1, 0], [1, 0], [0, 1]], np.float32), [0, 1, 2]

    report = evaluate_lfw(options, images, pair_list, lambda: None, embed_fixed)

    assert report.pairs.distances.tolist() == [2, 0, 2, 2]


@pytest.mark.lfw
def test_a_part_of_lfw_is_decided_correctly(options: PipelineOptions, lfw: Path, tmp_path: Path) -> None:
    lines = (lfw / "pairs.txt").read_text("utf-8").splitlines()
    file = tmp_path / "pairs.txt"
    starts = (1, 301, 601, 901)  # 300 pairs of one person and 300 of two, twice
    file.write_text("\n".join(["2\t8", *(line for start in starts for line in lines[start : start + 8])]), "utf-8")

    report = evaluate_lfw(options, lfw / "images", read_pair_lists(file), lambda: None)

    assert report.numbers()["accuracy_at_1.242"] == 1.0
