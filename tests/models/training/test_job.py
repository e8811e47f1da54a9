from pathlib import Path

import pytest

from models.errors import TrainingError
from models.training.job import Places, run


@pytest.mark.parametrize("given", [None, Path("elsewhere.pt")])
def test_a_start_that_is_missing_is_named_with_what_makes_it(given: Path | None, tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path / "runs" / "distil-compact", tmp_path, given)
    expected = given or tmp_path / "runs" / "distil-compact-start" / "checkpoint.pt"
    with pytest.raises(TrainingError, match=r"begins with the network of distil-compact-start") as refused:
        run("distil-compact", places, "cpu", 1)
    assert str(expected) in str(refused.value)


def test_a_recipe_that_begins_anew_takes_no_start(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="leave --from out"):
        run("smoke", Places(tmp_path, tmp_path, tmp_path, tmp_path / "some.pt"), "cpu", 1)
