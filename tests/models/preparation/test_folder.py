import os
from pathlib import Path

import pytest

from models.errors import DatasetError
from models.preparation.folder import Photograph, plan, read_folder


def _photographs(person: str, count: int) -> tuple[Photograph, ...]:
    return tuple(Photograph(person, f"{number:03}.jpg", 100, 1) for number in range(count))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("celeba-017.webp", "celeba"),
        ("bollywood100-000.jpg", "bollywood100"),
        ("a-few-12-003", "a-few-12"),
        ("obama.jpg", "photographs"),
        ("George_Bush_0001.jpg", "photographs"),
        ("-001.jpg", "photographs"),
    ],
)
def test_a_source_is_what_stands_before_the_last_number(name: str, source: str) -> None:
    assert Photograph("anna", name, 1, 1).source == source


def test_people_and_photographs_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for file in ("b/2.jpg", "b/10.jpg", "a/x.jpg", "a/.hidden", ".git/config", "a/more/deep.jpg", "notes.txt"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "c").mkdir()

    folder = read_folder(tmp_path)

    assert [[one.file for one in photographs] for photographs in folder.people.values()] == [
        ["a/x.jpg"],
        ["b/10.jpg", "b/2.jpg"],
        [],
    ]
    assert len(folder) == 3


def test_a_link_to_nothing_is_listed_so_that_it_can_be_reported(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")

    assert [one.file for one in read_folder(tmp_path).people["a"]] == ["a/gone.jpg"]


def test_a_folder_that_is_not_there_or_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DatasetError, match=r"nowhere cannot be read \(No such file or directory\)"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"file cannot be read \(Not a directory\)"):
        read_folder(tmp_path / "file")


def test_a_folder_without_photographs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "anna").mkdir()
    (tmp_path / "photograph.jpg").touch()

    with pytest.raises(DatasetError, match=r"holds no photographs\. It should hold a folder for each person"):
        read_folder(tmp_path)


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"zo\xeb")).mkdir()

    with pytest.raises(DatasetError, match=r"zo\\udceb' is a name that is not UTF-8. Rename it"):
        read_folder(tmp_path)


def test_whole_people_share_a_shard_until_it_is_full() -> None:
    people = [_photographs(name, count) for name, count in zip("abcdefg", (3, 2, 0, 9, 1, 4, 2), strict=True)]

    parts = plan(people, per_shard=5)

    assert [sorted({one.person for one in part.photographs}) for part in parts] == [
        ["a", "b"],
        ["d"],
        ["e", "f"],
        ["g"],
    ]
    assert [one for part in parts for one in part.photographs] == [one for person in people for one in person]
    assert [part.name for part in parts] == ["faces-00000", "faces-00001", "faces-00002", "faces-00003"]


def test_a_part_is_of_another_make_where_a_photograph_in_it_or_before_it_changed() -> None:
    people = [_photographs(name, 2) for name in "abc"]
    changed = [people[0], (people[1][0], Photograph("b", "001.jpg", 100, 2)), people[2]]

    same, other = plan(people, per_shard=2), plan(changed, per_shard=2)

    assert [one.made_of == two.made_of for one, two in zip(same, other, strict=True)] == [True, False, False]
    assert plan(people, per_shard=2) == same
