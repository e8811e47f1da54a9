"""A run that is started by the name of its recipe. Wrong input is refused before a file of another run changes."""

from pathlib import Path

import pytest
from filelock import FileLock

from models.errors import TrainingError
from models.training.data.face_set import FaceSet
from models.training.job import HELD_OUT_FILE, LOCK, ComputeOptions, TrainingPaths, start_training
from models.training.loop import CHECKPOINT
from models.training.recipes.recipes import RECIPES
from models.training.recipes.settings import Recipe
from tests.models.sets import write_set
from tests.models.training.tiny import TINY
from tests.support.full_disk import simulate_full_disk

pytestmark = pytest.mark.slow

CPU = ComputeOptions("cpu", 1)


@pytest.fixture
def paths(faces: FaceSet, tmp_path: Path) -> TrainingPaths:
    """Return the paths of a run of the tiny recipe, on prepared faces."""
    (tmp_path / "faces").mkdir()
    write_set(tmp_path / "faces", faces, [range(len(faces))], {})
    return TrainingPaths(tmp_path / "faces", tmp_path / "run", tmp_path)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Return the tiny recipe. `find_recipe` then finds it by its name."""
    monkeypatch.setitem(RECIPES, TINY.name, TINY)
    return TINY


def test_a_run_writes_the_names_of_the_held_out_people(tiny: Recipe, paths: TrainingPaths) -> None:
    assert start_training(tiny.name, paths, CPU) == paths.out / CHECKPOINT
    names = (paths.out / HELD_OUT_FILE).read_text().splitlines()
    assert len(names) == 2
    assert set(names) < {f"person{number}" for number in range(6)}


def test_the_folder_of_another_recipe_is_refused_before_a_file_in_it_changes(
    tiny: Recipe, paths: TrainingPaths
) -> None:
    start_training(tiny.name, paths, CPU)
    before = {path: path.read_bytes() for path in (paths.out / HELD_OUT_FILE, paths.out / CHECKPOINT)}
    with pytest.raises(TrainingError, match="was made with another recipe"):
        start_training("smoke", paths, CPU)
    assert {path: path.read_bytes() for path in before} == before


def test_a_run_does_not_continue_on_a_set_that_people_were_added_to(
    tiny: Recipe, faces: FaceSet, paths: TrainingPaths
) -> None:
    start_training(tiny.name, paths, CPU)
    more = FaceSet(faces.canvases, faces.people + 1, faces.sources, ("another", *faces.names), faces.source_names)
    write_set(paths.data, more, [range(len(more))], {})
    message = r"started on other faces\. These values differ: held out people, training people\."
    with pytest.raises(TrainingError, match=message):
        start_training(tiny.name, paths, CPU)


def test_two_runs_do_not_write_to_the_same_folder(tiny: Recipe, paths: TrainingPaths) -> None:
    paths.out.mkdir()
    with FileLock(paths.out / LOCK), pytest.raises(TrainingError, match="Another run writes to"):
        start_training(tiny.name, paths, CPU)


def test_the_error_for_a_full_disk_is_one_line_with_the_way_to_continue(tiny: Recipe, paths: TrainingPaths) -> None:
    with (
        simulate_full_disk(1_000_000),
        pytest.raises(TrainingError, match=r"checkpoint\.pt: .* from its last checkpoint"),
    ):
        start_training(tiny.name, paths, CPU)
    assert not (paths.out / CHECKPOINT).exists()


def test_the_unfinished_files_of_a_killed_run_are_removed(tiny: Recipe, paths: TrainingPaths) -> None:
    paths.out.mkdir()
    (paths.out / f".{CHECKPOINT}.a1b2").touch()
    start_training(tiny.name, paths, CPU)
    assert not list(paths.out.glob(".checkpoint*"))


@pytest.mark.parametrize("given", [None, Path("elsewhere.pt")])
def test_a_missing_start_checkpoint_is_named_with_the_recipe_that_makes_it(given: Path | None, tmp_path: Path) -> None:
    paths = TrainingPaths(tmp_path, tmp_path / "runs" / "distil-compact", tmp_path, given)
    expected = given or tmp_path / "runs" / "distil-compact-start" / "checkpoint.pt"
    with pytest.raises(TrainingError, match=r"begins with the network of the recipe distil-compact-start") as refused:
        start_training("distil-compact", paths, CPU)
    assert str(expected) in str(refused.value)


def test_a_recipe_that_begins_with_random_weights_takes_no_start_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"begins with random weights\. Do not give --from"):
        start_training("smoke", TrainingPaths(tmp_path, tmp_path, tmp_path, tmp_path / "some.pt"), CPU)
