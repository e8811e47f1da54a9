"""Writing a folder for each person."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

import pytest

from service.clusterers.base import ClusteringLimits
from service.commands.sorting.people import SortedPerson, cluster_people
from service.commands.sorting.sorted_folder import new_folder, place_photographs, require_free
from service.domain.command_errors import FileNotWritten
from tests.support.made_up_faces import find_made_up_faces


def write_photographs(folder: Path, names: Iterable[str]) -> list[Path]:
    files = [folder / name for name in names]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.fsencode(file))
    return files


def names_below(folder: Path) -> dict[str, list[str]]:
    return {one.name: sorted(file.name for file in one.iterdir()) for one in sorted(folder.iterdir())}


def sort_into(out: Path, people_of: dict[Path, str], *, copy: bool = False) -> dict[str, int]:
    found = find_made_up_faces(people_of)
    with new_folder(out) as part:
        return place_photographs(part, found, cluster_people(found, ClusteringLimits(1.0), 2).people, copy=copy)


def test_a_photograph_of_several_people_is_in_the_folder_of_each(tmp_path: Path) -> None:
    files = write_photographs(tmp_path / "in", ["a.jpg", "ab.jpg", "b.jpg", "c.jpg", "none.jpg", "ac.jpg"])
    counts = sort_into(tmp_path / "out", dict(zip(files, ["a", "ab", "b", "d", "", "ae"], strict=True)))
    assert names_below(tmp_path / "out") == {
        "others": ["c.jpg"],
        "person-001": ["a.jpg", "ab.jpg", "ac.jpg"],
        "person-002": ["ab.jpg", "b.jpg"],
        "without-face": ["none.jpg"],
    }
    assert counts == {"person-001": 3, "person-002": 2, "others": 1, "without-face": 1}


def test_links_are_relative_and_lead_to_the_photographs_after_both_folders_moved(tmp_path: Path) -> None:
    files = write_photographs(tmp_path / "all" / "in", ["1.jpg", "2.jpg"])
    sort_into(tmp_path / "all" / "out", dict.fromkeys(files, "a"))
    (tmp_path / "all").rename(tmp_path / "moved")
    link = tmp_path / "moved" / "out" / "person-001" / "1.jpg"
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == tmp_path / "moved" / "in" / "1.jpg"


def test_copies_are_files_with_the_same_bytes(tmp_path: Path) -> None:
    files = write_photographs(tmp_path / "in", ["1.jpg", "2.jpg"])
    sort_into(tmp_path / "out", dict.fromkeys(files, "a"), copy=True)
    copied = tmp_path / "out" / "person-001" / "1.jpg"
    assert not copied.is_symlink()
    assert copied.read_bytes() == files[0].read_bytes()


def test_photographs_with_the_same_name_all_get_a_place(tmp_path: Path) -> None:
    files = write_photographs(tmp_path / "in", ["x/IMG.jpg", "y/IMG.jpg", "z/img.JPG", "IMG-2.jpg"])
    sort_into(tmp_path / "out", dict.fromkeys(files, "a"))
    placed = sorted((tmp_path / "out" / "person-001").iterdir())
    assert len({file.name.lower() for file in placed}) == 4
    assert {file.resolve() for file in placed} == set(files)


def test_a_longest_name_that_is_there_twice_is_shortened(tmp_path: Path) -> None:
    name = "é" * 125 + ".jpg"
    files = write_photographs(tmp_path / "in", [f"x/{name}", f"y/{name}"])
    sort_into(tmp_path / "out", dict.fromkeys(files, "a"))
    assert {file.resolve() for file in (tmp_path / "out" / "person-001").iterdir()} == set(files)


@pytest.mark.parametrize("name", ["new\nline.jpg", "\x1b[2J.jpg", "caf\udce9.jpg", "..jpg", "=1+1.jpg", "-rf.jpg"])
def test_a_hostile_name_stays_in_the_folder_of_its_person(tmp_path: Path, name: str) -> None:
    files = write_photographs(tmp_path / "in", [name, "2.jpg"])
    sort_into(tmp_path / "out", dict.fromkeys(files, "a"))
    assert names_below(tmp_path / "out") == {"person-001": sorted([name, "2.jpg"])}
    assert names_below(tmp_path) == {"in": sorted([name, "2.jpg"]), "out": ["person-001"]}


def test_the_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    (file,) = write_photographs(tmp_path / "in", ["1.jpg"])
    sort_into(tmp_path / "out", {file: ""})
    for folder in (tmp_path / "out", tmp_path / "out" / "without-face"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def _fail(part: Path, error: type[BaseException]) -> None:
    (part / "person-001").mkdir()
    raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_after_an_error_nothing_is_left(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), new_folder(tmp_path / "out") as part:
        _fail(part, error)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_error_and_nothing_is_left(tmp_path: Path) -> None:
    found = find_made_up_faces({tmp_path / "gone.jpg": "a"})
    with pytest.raises(FileNotWritten, match="Nothing is left of it"), new_folder(tmp_path / "out") as part:
        place_photographs(part, found, [SortedPerson("person-001", (0,))], copy=True)
    assert list(tmp_path.iterdir()) == []


def test_only_a_new_or_empty_folder_beside_the_photographs_is_free(tmp_path: Path) -> None:
    write_photographs(tmp_path, ["in/1.jpg", "full/x", "file"])
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    for free in ("new", "empty"):
        require_free(tmp_path / free, tmp_path / "in")
    for taken in ("full", "file", "link", "in", "in/out", "missing/out"):
        with pytest.raises(FileNotWritten):
            require_free(tmp_path / taken, tmp_path / "in")


def test_an_empty_folder_is_used_and_one_that_was_filled_meanwhile_is_not(tmp_path: Path) -> None:
    for name in ("empty", "filled"):
        (tmp_path / name).mkdir()
    with new_folder(tmp_path / "empty") as part:
        (part / "x").touch()
    assert (tmp_path / "empty" / "x").exists()
    with pytest.raises(FileNotWritten), new_folder(tmp_path / "filled"):
        (tmp_path / "filled" / "mine").touch()
    assert [file.name for file in (tmp_path / "filled").iterdir()] == ["mine"]
