"""Reading a folder of people. `tests/e2e/test_commands.py` tests the enrolment, against a running service."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.commands.enrolment.people_folder import PeopleFolder, Person, read_people
from service.commands.photographs.folder_reader import SUFFIXES
from service.commands.photographs.left_out import REASONS
from service.domain.identifiers import ID_PATTERN


@pytest.mark.parametrize("name", ["obama", "Barack Obama", "José", "名前", "-x-", "a" * 200, "x\ny", "caf\udce9"])
def test_every_folder_gets_a_valid_id_and_name(name: str) -> None:
    person = Person(Path(name), ())
    assert re.fullmatch(ID_PATTERN, person.id)
    assert re.fullmatch(r"[^\x00-\x1f\x7f-\x9f]*", person.printable_name)
    person.printable_name.encode()


def test_a_folder_name_that_is_a_valid_id_becomes_the_id() -> None:
    assert Person(Path("people/George_W_Bush"), ()).id == "George_W_Bush"


def test_different_names_get_different_ids() -> None:
    assert Person(Path("A B"), ()).id != Person(Path("A-B"), ()).id != Person(Path("A_B"), ()).id


def make_files(folder: Path, *names: str) -> Path:
    """Create empty files. A name that ends with a slash is a folder. Return the folder."""
    for name in names:
        if name.endswith("/"):
            (folder / name).mkdir(parents=True)
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
    return folder


def photographs(found: PeopleFolder, folder: Path) -> dict[str, list[str]]:
    return {
        person.name: [str(file.relative_to(folder / person.name)) for file in person.photographs]
        for person in found.people
    }


def left_out(found: PeopleFolder, folder: Path) -> dict[str, str]:
    """Return the code of everything that is not sent. Nothing is listed twice, except a person without a photograph."""
    codes = {str(item.path.relative_to(folder)): item.code for item in found.left_out}
    people = [item for item in found.left_out if item.code == "person_without_face"]
    assert len(found.left_out) <= len(codes) + len(people)
    return codes


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
def test_a_photograph_is_sent_with_every_usual_suffix_in_any_case(tmp_path: Path, change: Callable[[str], str]) -> None:
    names = sorted(f"1{change(suffix)}" for suffix in SUFFIXES)
    make_files(tmp_path, *(f"ada/{name}" for name in names))
    assert photographs(read_people(tmp_path), tmp_path) == {"ada": names}


@pytest.mark.parametrize("suffix", ".jpg .jpeg .jfif .jpe .png .webp .bmp .gif .heic .heif .avif .tiff".split())  # noqa: SIM905
def test_the_suffixes_that_cameras_and_browsers_use_are_known(suffix: str) -> None:
    assert suffix in SUFFIXES


def test_nested_folders_belong_to_the_person_above_them(tmp_path: Path) -> None:
    make_files(tmp_path, "ada/1.jpg", "ada/2024/may/2.jpg", "ada/2024/3.HEIC", "ada/album.jpg/4.png", "bob/x/5.jpg")
    found = read_people(tmp_path)
    assert photographs(found, tmp_path) == {
        "ada": ["1.jpg", "2024/3.HEIC", "2024/may/2.jpg", "album.jpg/4.png"],
        "bob": ["x/5.jpg"],
    }
    assert found.left_out == []
    assert found.photographs == 5


def test_everything_that_is_not_sent_is_listed_with_a_reason(tmp_path: Path) -> None:
    make_files(tmp_path, "ada/1.jpg", "ada/notes.txt", "ada/noext", "ada/.2.jpg", "ada/.thumbs/3.jpg", "ada/empty/")
    make_files(tmp_path, "beside.jpg", "README", ".DS_Store", ".git/4.jpg", "nobody/", "texts/a/b.txt")
    (tmp_path / "ada" / "broken.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "ada" / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(tmp_path / "ada" / "pipe.jpg")
    found = read_people(tmp_path)
    assert photographs(found, tmp_path) == {"ada": ["1.jpg"]}
    assert left_out(found, tmp_path) == {
        "README": "no_person",
        "beside.jpg": "no_person",
        ".DS_Store": "hidden",
        ".git": "hidden",
        "ada/.2.jpg": "hidden",
        "ada/.thumbs": "hidden",
        "ada/broken.jpg": "unreadable_file",
        "ada/empty": "empty_folder",
        "ada/loop.jpg": "unreadable_file",
        "ada/noext": "unknown_suffix",
        "ada/notes.txt": "unknown_suffix",
        "ada/pipe.jpg": "unreadable_file",
        "nobody": "person_without_face",
        "texts": "person_without_face",
        "texts/a/b.txt": "unknown_suffix",
    }
    for item in found.left_out:
        assert (item.status, item.detail) == REASONS[item.code]


def test_a_sidecar_is_not_listed(tmp_path: Path) -> None:
    make_files(tmp_path, "ada/1.jpg", "ada/1.jpg.xmp", "ada/1.XMP")
    assert read_people(tmp_path).left_out == []


def test_links_that_lead_back_or_to_another_person_are_not_followed(tmp_path: Path) -> None:
    folder = make_files(tmp_path / "people", "ada/1.jpg", "bob/2.jpg", "bob/2024/3.jpg")
    for name, target in (("ada/self", "."), ("ada/all", ".."), ("ada/above", "../.."), ("ada/bob", "../bob/2024")):
        (folder / name).symlink_to(target)
    (folder / "everybody").symlink_to(".")
    found = read_people(folder)
    assert photographs(found, folder) == {"ada": ["1.jpg"], "bob": ["2.jpg", "2024/3.jpg"]}
    assert left_out(found, folder) == {
        "ada/self": "repeated_folder",
        "ada/all": "repeated_folder",
        "ada/above": "repeated_folder",
        "ada/bob": "repeated_folder",
        "everybody": "person_without_face",
    }


def test_links_to_folders_elsewhere_are_followed_once(tmp_path: Path) -> None:
    make_files(tmp_path, "disk/ada/1.jpg", "disk/album/2.jpg", "people/bob/")
    folder = tmp_path / "people"
    (folder / "ada").symlink_to(tmp_path / "disk" / "ada")
    (folder / "bob" / "album").symlink_to(tmp_path / "disk" / "album")
    (tmp_path / "disk" / "album" / "loop").symlink_to(tmp_path / "disk" / "album")
    found = read_people(folder)
    assert photographs(found, folder) == {"ada": ["1.jpg"], "bob": ["album/2.jpg"]}
    assert left_out(found, folder) == {"bob/album/loop": "repeated_folder"}


@pytest.fixture
def deep_folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder that is deeper than Python's limit of nested calls. pytest could not delete it."""
    folder = tmp_path / "ada"
    folder.mkdir()
    for _ in range(1100):
        folder /= "d"
        folder.mkdir()
    yield folder
    while folder != tmp_path:
        folder.rmdir()
        folder = folder.parent


def test_a_very_deep_folder_is_read(tmp_path: Path, deep_folder: Path) -> None:
    assert left_out(read_people(tmp_path), tmp_path) == {
        str(deep_folder.relative_to(tmp_path)): "empty_folder",
        "ada": "person_without_face",
    }


def test_a_folder_that_cannot_be_read_is_listed(tmp_path: Path) -> None:
    (item,) = read_people(tmp_path / "missing").left_out
    assert (item.status, item.code) == ("refused", "unreadable_folder")


def test_a_folder_without_people_has_nothing_to_send(tmp_path: Path) -> None:
    found = read_people(tmp_path)
    assert (found.people, found.photographs) == ([], 0)
    assert left_out(found, tmp_path) == {".": "empty_folder"}
