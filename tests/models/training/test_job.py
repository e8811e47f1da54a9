"""A run by name: what it refuses, it refuses before anything of another run is touched."""

from pathlib import Path

import pytest
from filelock import FileLock

from models.errors import TrainingError
from models.faces import FaceSet
from models.training.job import HELD_OUT, LOCK, Machine, Places, run
from models.training.recipes import RECIPES, Recipe
from models.training.train import CHECKPOINT
from tests.disks import disk_full_at
from tests.models.sets import write_set
from tests.models.training.tiny import TINY

CPU = Machine("cpu", 1)


@pytest.fixture
def places(faces: FaceSet, tmp_path: Path) -> Places:
    """Of a run of the tiny recipe, on prepared faces."""
    (tmp_path / "faces").mkdir()
    write_set(tmp_path / "faces", faces, [range(len(faces))], {})
    return Places(tmp_path / "faces", tmp_path / "run", tmp_path)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Known by its name, as every recipe is."""
    monkeypatch.setitem(RECIPES, TINY.name, TINY)
    return TINY


def test_a_run_leaves_the_names_of_the_people_held_out(tiny: Recipe, places: Places) -> None:
    assert run(tiny.name, places, CPU) == places.out / CHECKPOINT
    names = (places.out / HELD_OUT).read_text().splitlines()
    assert len(names) == 2
    assert set(names) < {f"person{number}" for number in range(6)}


def test_a_folder_of_another_recipe_is_refused_before_anything_is_written_there(tiny: Recipe, places: Places) -> None:
    run(tiny.name, places, CPU)
    before = {one: one.read_bytes() for one in (places.out / HELD_OUT, places.out / CHECKPOINT)}
    with pytest.raises(TrainingError, match="was made with another recipe"):
        run("smoke", places, CPU)
    assert {one: one.read_bytes() for one in before} == before


def test_a_set_that_people_were_added_to_is_not_the_one_that_the_run_was_begun_on(
    tiny: Recipe, faces: FaceSet, places: Places
) -> None:
    run(tiny.name, places, CPU)
    more = FaceSet(faces.canvases, faces.people + 1, faces.sources, ("another", *faces.names), faces.source_names)
    write_set(places.data, more, [range(len(more))], {})
    with pytest.raises(TrainingError, match="begun on other faces: people looked at, people trained on differ"):
        run(tiny.name, places, CPU)


def test_two_runs_do_not_write_to_one_folder(tiny: Recipe, places: Places) -> None:
    places.out.mkdir()
    with FileLock(places.out / LOCK), pytest.raises(TrainingError, match="Another run writes to"):
        run(tiny.name, places, CPU)


def test_a_full_disk_is_told_in_one_line_that_says_how_to_go_on(tiny: Recipe, places: Places) -> None:
    with disk_full_at(1_000_000), pytest.raises(TrainingError, match=r"checkpoint\.pt: .* from its last checkpoint"):
        run(tiny.name, places, CPU)
    assert not (places.out / CHECKPOINT).exists()


def test_what_a_killed_run_had_begun_to_write_is_swept(tiny: Recipe, places: Places) -> None:
    places.out.mkdir()
    (places.out / f".{CHECKPOINT}.a1b2").touch()
    run(tiny.name, places, CPU)
    assert not list(places.out.glob(".checkpoint*"))


@pytest.mark.parametrize("given", [None, Path("elsewhere.pt")])
def test_a_start_that_is_missing_is_named_with_what_makes_it(given: Path | None, tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path / "runs" / "distil-compact", tmp_path, given)
    expected = given or tmp_path / "runs" / "distil-compact-start" / "checkpoint.pt"
    with pytest.raises(TrainingError, match=r"begins with the network of distil-compact-start") as refused:
        run("distil-compact", places, CPU)
    assert str(expected) in str(refused.value)


def test_a_recipe_that_begins_anew_takes_no_start(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="leave --from out"):
        run("smoke", Places(tmp_path, tmp_path, tmp_path, tmp_path / "some.pt"), CPU)
