from pathlib import Path

import pytest

from models.errors import DatasetError
from models.evaluation.data.identities import read_identities


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder in which Ada has three photographs, Bob has one, and Cy has none."""
    root = tmp_path / "people"
    for person, names in {"bob": ["1.webp"], "ada": ["1.jpg", "2.PNG", "3.jpg", "notes.txt"], "cy": []}.items():
        (root / person).mkdir(parents=True)
        for name in names:
            (root / person / name).touch()
    (root / "readme.txt").touch()
    return root


def _photographs(folder: Path, max_per_person: int, only: Path | None = None) -> list[str]:
    """Check that each file belongs to its person, and return the files."""
    identities = read_identities(folder, max_per_person, only)
    assert [identities.names[person] for person in identities.people] == [file.parent.name for file in identities.files]
    return [file.relative_to(folder).as_posix() for file in identities.files]


def test_photographs_are_in_the_order_of_the_people(folder: Path) -> None:
    assert _photographs(folder, 10) == ["ada/1.jpg", "ada/2.PNG", "ada/3.jpg", "bob/1.webp"]


def test_at_most_the_given_number_of_photographs_of_a_person_is_drawn_and_always_the_same(folder: Path) -> None:
    drawn = _photographs(folder, 2)

    assert [Path(file).parent.name for file in drawn] == ["ada", "ada", "bob"]
    assert _photographs(folder, 2) == drawn


def test_people_who_are_not_in_the_list_are_left_out(folder: Path, tmp_path: Path) -> None:
    only = tmp_path / "only.txt"
    only.write_text("bob\n\n", "utf-8")

    assert _photographs(folder, 10, only) == ["bob/1.webp"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("bob\ncy\ndora\n", r"2 of the 3 people of .*only\.txt have no photograph in .*people\. The first is cy\."),
        ("", r"0 of the 0 people of .*only\.txt"),
        ("\udcff", r"only\.txt is not in UTF-8\. Give a file with one name on each line"),
    ],
)
def test_a_list_with_absent_people_or_without_names_is_refused(
    folder: Path, tmp_path: Path, names: str, message: str
) -> None:
    only = tmp_path / "only.txt"
    only.write_bytes(names.encode("utf-8", "surrogateescape"))

    with pytest.raises(DatasetError, match=message):
        read_identities(folder, 10, only)


def test_a_list_that_is_missing_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere\.txt cannot be read"):
        read_identities(folder, 10, tmp_path / "nowhere.txt")


def test_a_folder_without_people_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        read_identities(tmp_path / "nowhere", 10)
    with pytest.raises(DatasetError, match="holds no photographs of people"):
        read_identities(folder / "ada", 10)
