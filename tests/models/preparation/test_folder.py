import os
from pathlib import Path

import pytest

from models.errors import DatasetError
from models.preparation.folder import PhotographFile, plan_shards, read_folder


def _photographs(person: str, count: int) -> tuple[PhotographFile, ...]:
    return tuple(PhotographFile(person, f"{number:03}.jpg", 100, 1) for number in range(count))


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
def test_the_source_is_the_part_of_the_name_before_the_last_number(name: str, source: str) -> None:
    assert PhotographFile("anna", name, 1, 1).source == source


def test_people_and_photographs_are_in_the_order_of_their_names(tmp_path: Path) -> None:
    for file in ("b/2.jpg", "b/10.jpg", "a/x.jpg", "a/.hidden", ".git/config", "a/more/deep.jpg", "notes.txt"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "c").mkdir()

    folder = read_folder(tmp_path)

    assert [[photograph.file for photograph in photographs] for photographs in folder.people.values()] == [
        ["a/x.jpg"],
        ["b/10.jpg", "b/2.jpg"],
        [],
    ]
    assert len(folder) == 3


def test_a_broken_link_is_listed_so_that_the_report_names_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")

    assert [photograph.file for photograph in read_folder(tmp_path).people["a"]] == ["a/gone.jpg"]


def test_a_missing_folder_and_a_file_are_refused(tmp_path: Path) -> None:
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

    with pytest.raises(DatasetError, match=r"The name .*zo\\udceb' is not in UTF-8\. Rename the file"):
        read_folder(tmp_path)


def test_a_shard_is_filled_with_whole_people() -> None:
    people = [_photographs(name, count) for name, count in zip("abcdefg", (3, 2, 0, 9, 1, 4, 2), strict=True)]

    plans = plan_shards(people, per_shard=5)

    assert [sorted({photograph.person for photograph in plan.photographs}) for plan in plans] == [
        ["a", "b"],
        ["d"],
        ["e", "f"],
        ["g"],
    ]
    assert [photograph for plan in plans for photograph in plan.photographs] == [
        photograph for photographs in people for photograph in photographs
    ]
    assert [plan.name for plan in plans] == ["faces-00000", "faces-00001", "faces-00002", "faces-00003"]


def test_a_changed_photograph_changes_made_of_for_its_shard_and_all_later_shards() -> None:
    people = [_photographs(name, 2) for name in "abc"]
    changed = [people[0], (people[1][0], PhotographFile("b", "001.jpg", 100, 2)), people[2]]

    before, after = plan_shards(people, per_shard=2), plan_shards(changed, per_shard=2)

    assert [old.made_of == new.made_of for old, new in zip(before, after, strict=True)] == [True, False, False]
    assert plan_shards(people, per_shard=2) == before
