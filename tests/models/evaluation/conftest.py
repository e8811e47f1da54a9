"""A data set of three photographs in the form of Labelled Faces in the Wild."""

import shutil
from pathlib import Path

import pytest

from models.evaluation.data.pairs import PairList, read_pair_lists


@pytest.fixture
def images(photographs: Path, tmp_path: Path) -> Path:
    """Return a folder with two photographs of Obama and one of Biden, with file names as in LFW."""
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
def pair_list(tmp_path: Path) -> PairList:
    """Return a list of two folds, each with a mated pair and a non-mated pair."""
    file = tmp_path / "pairs.txt"
    file.write_text("2\t1\nO\t1\t2\nO\t1\tB\t1\nO\t2\t1\nO\t2\tB\t1\n", "utf-8")
    return read_pair_lists(file)
