from pathlib import Path

import pytest

from models.errors import DatasetError
from models.evaluation.identities import read_identities


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ada with three photographs, Bob with one, Cy with none."""
    root = tmp_path / "people"
    for person, names in {"bob": ["1.webp"], "ada": ["1.jpg", "2.PNG", "3.jpg", "notes.txt"], "cy": []}.items():
        (root / person).mkdir(parents=True)
        for name in names:
            (root / person / name).touch()
    (root / "readme.txt").touch()
    return root


def _names(folder: Path, most: int, only: Path | None = None) -> list[str]:
    found = read_identities(folder, most, only)
    assert [found.names[one] for one in found.people] == [file.parent.name for file in found.files]
    return [file.relative_to(folder).as_posix() for file in found.files]


def test_photographs_come_person_by_person(folder: Path) -> None:
    assert _names(folder, 10) == ["ada/1.jpg", "ada/2.PNG", "ada/3.jpg", "bob/1.webp"]


def test_nobody_has_more_than_was_asked_for_and_always_the_same_ones(folder: Path) -> None:
    drawn = _names(folder, 2)

    assert [Path(one).parent.name for one in drawn] == ["ada", "ada", "bob"]
    assert _names(folder, 2) == drawn


def test_a_list_says_who_counts(folder: Path, tmp_path: Path) -> None:
    only = tmp_path / "only.txt"
    only.write_text("bob\n\n", "utf-8")

    assert _names(folder, 10, only) == ["bob/1.webp"]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ("bob\ncy\ndora\n", r"2 of the 3 people of .*only\.txt have no photograph in .*people, the first is cy"),
        ("", r"0 of the 0 people of .*only\.txt"),
        ("\udcff", "is not a list of names, one a line"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(folder: Path, tmp_path: Path, names: str, complaint: str) -> None:
    only = tmp_path / "only.txt"
    only.write_bytes(names.encode("utf-8", "surrogateescape"))

    with pytest.raises(DatasetError, match=complaint):
        read_identities(folder, 10, only)


def test_a_list_that_is_missing_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere\.txt cannot be read"):
        read_identities(folder, 10, tmp_path / "nowhere.txt")


def test_a_folder_without_people_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        read_identities(tmp_path / "nowhere", 10)
    with pytest.raises(DatasetError, match="holds no photographs of people"):
        read_identities(folder / "ada", 10)
