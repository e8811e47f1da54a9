"""What a folder of identities is, before anything is sent. The sending is tested against the running service."""

import re
from pathlib import Path

import pytest

from service.client.enrolment import ID, Person, people_of
from service.errors import EmptyFolder


@pytest.mark.parametrize("name", ["obama", "Barack Obama", "José", "名前", "-x-", "a" * 200, "x\ny", "caf\udce9"])
def test_every_folder_gets_a_valid_id_and_name(name: str) -> None:
    person = Person(name, ())
    assert ID.fullmatch(person.id)
    assert re.fullmatch(r"[^\x00-\x1f\x7f-\x9f]*", person.printable_name)
    person.printable_name.encode()


def test_a_folders_name_that_is_an_id_is_kept() -> None:
    assert Person("George_W_Bush", ()).id == "George_W_Bush"


def test_two_names_never_share_an_id() -> None:
    assert Person("A B", ()).id != Person("A-B", ()).id != Person("A_B", ()).id


def test_only_photographs_of_people_count(tmp_path: Path) -> None:
    for name in ("ada/1.JPG", "ada/2.png", "ada/notes.txt", "empty/readme.md", "3.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (ada,) = people_of(tmp_path)
    assert [one.name for one in ada.photographs] == ["1.JPG", "2.png"]


def test_a_folder_without_people_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyFolder, match="FOLDER/PERSON"):
        people_of(tmp_path)
