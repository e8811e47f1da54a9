"""Reading a folder of people. `tests/e2e/test_commands.py` tests the enrolment, against a running service."""

import re
from pathlib import Path

import pytest

from service.client.enrolment import Person, read_people
from service.domain.errors import EmptyFolder
from service.domain.identifiers import ID_PATTERN


@pytest.mark.parametrize("name", ["obama", "Barack Obama", "José", "名前", "-x-", "a" * 200, "x\ny", "caf\udce9"])
def test_every_folder_gets_a_valid_id_and_name(name: str) -> None:
    person = Person(name, ())
    assert re.fullmatch(ID_PATTERN, person.id)
    assert re.fullmatch(r"[^\x00-\x1f\x7f-\x9f]*", person.printable_name)
    person.printable_name.encode()


def test_a_folder_name_that_is_a_valid_id_becomes_the_id() -> None:
    assert Person("George_W_Bush", ()).id == "George_W_Bush"


def test_different_names_get_different_ids() -> None:
    assert Person("A B", ()).id != Person("A-B", ()).id != Person("A_B", ()).id


def test_only_photographs_in_the_folders_of_people_are_read(tmp_path: Path) -> None:
    for name in ("ada/1.JPG", "ada/2.png", "ada/notes.txt", "empty/readme.md", "3.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (ada,) = read_people(tmp_path)
    assert [photograph.name for photograph in ada.photographs] == ["1.JPG", "2.png"]


def test_a_folder_without_people_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyFolder, match="FOLDER/PERSON"):
        read_people(tmp_path)
