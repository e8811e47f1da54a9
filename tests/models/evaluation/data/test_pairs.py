from pathlib import Path

import pytest

from models.errors import DatasetError
from models.evaluation.data.pairs import read_pair_lists

LIST = "2\t1\nAnna\t1\t2\nAnna\t2\tBoris\t11\nCarla\t3\t4\nBoris\t11\tDora\t1\n"


def _file(folder: Path, text: str) -> Path:
    file = folder / "pairs.txt"
    file.write_text(text, "utf-8")
    return file


def test_a_list_names_each_photograph_once(tmp_path: Path) -> None:
    pair_list = read_pair_lists(_file(tmp_path, LIST))

    ends = [
        (pair_list.images[left].as_posix(), pair_list.images[right].as_posix())
        for left, right in zip(pair_list.left, pair_list.right, strict=True)
    ]
    assert ends == [
        ("Anna/Anna_0001.jpg", "Anna/Anna_0002.jpg"),
        ("Anna/Anna_0002.jpg", "Boris/Boris_0011.jpg"),
        ("Carla/Carla_0003.jpg", "Carla/Carla_0004.jpg"),
        ("Boris/Boris_0011.jpg", "Dora/Dora_0001.jpg"),
    ]
    assert len(pair_list.images) == len(set(pair_list.images)) == 6
    assert pair_list.same.tolist() == [True, False, True, False]
    assert pair_list.folds.tolist() == [0, 0, 1, 1]


def test_a_list_without_folds_is_one_fold(tmp_path: Path) -> None:
    pair_list = read_pair_lists(_file(tmp_path, "1\nAnna\t1\t2\nAnna\t2\tBoris\t11\n"))

    assert pair_list.folds.tolist() == [0, 0]


def test_several_lists_become_one_list_with_all_their_folds(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("2\nAnna\t1\t2\nAnna\t1\t3\nAnna\t2\tBoris\t1\nAnna\t3\tBoris\t1\n", "utf-8")

    pair_list = read_pair_lists(tmp_path / "train.txt", _file(tmp_path, "1\nAnna\t1\t2\nAnna\t2\tDora\t1\n"))

    assert pair_list.folds.tolist() == [0, 0, 0, 0, 1, 1]
    assert pair_list.same.tolist() == [True, True, False, False, True, False]
    assert [image.stem for image in pair_list.images] == [
        "Anna_0001",
        "Anna_0002",
        "Anna_0003",
        "Boris_0001",
        "Dora_0001",
    ]
    assert pair_list.images[pair_list.right[5]].stem == "Dora_0001"


def test_a_list_with_missing_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="announces 4 pairs, and the file holds 3"):
        read_pair_lists(_file(tmp_path, LIST[: LIST.rindex("Boris")]))


@pytest.mark.parametrize("text", ["", "pairs\n", "1\t1\nAnna\tone\ttwo\nAnna\t1\tBoris\t1\n", "1\nAnna\nBoris\n"])
def test_a_file_of_another_format_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"is not a list of pairs as LFW has them\. The first line must be FOLDS"):
        read_pair_lists(_file(tmp_path, text))


def test_a_list_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"pairs\.txt cannot be read \(No such file or directory\)"):
        read_pair_lists(tmp_path / "pairs.txt")


@pytest.mark.lfw
def test_view_1_of_lfw_is_two_lists_of_one_fold(lfw: Path) -> None:
    pair_list = read_pair_lists(lfw / "pairsDevTrain.txt", lfw / "pairsDevTest.txt")

    assert [(pair_list.folds == fold).sum() for fold in (0, 1)] == [2200, 1000]
    assert pair_list.same.sum() == 1600


@pytest.mark.lfw
def test_view_2_of_lfw_is_ten_folds_of_300_mated_and_300_non_mated_pairs(lfw: Path) -> None:
    pair_list = read_pair_lists(lfw / "pairs.txt")

    assert len(pair_list.images) == 7701
    for fold in range(10):
        assert pair_list.same[pair_list.folds == fold].tolist() == [True] * 300 + [False] * 300
