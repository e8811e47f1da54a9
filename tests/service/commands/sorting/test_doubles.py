"""What is in a folder of people twice."""

from dataclasses import replace
from pathlib import Path

import pytest

from service.commands.sorting.doubles import (
    chance_matches,
    choose_threshold,
    folders_of,
    identical_files,
    pairs_between_folders,
)
from service.domain.command_errors import NoCalibration
from service.model_files.calibration import Calibration, RatesAtThreshold
from tests.support.made_up_faces import find_made_up_faces

ROOT = Path("people")
CALIBRATION = Calibration(
    people=10,
    non_mated_pairs=10,
    mated_pairs=10,
    measured_on="made up",
    rates=tuple(
        RatesAtThreshold(threshold_sq_l2=at, fmr=fmr, fmr_interval=(0, 1), fnmr=0, fnmr_interval=(0, 1))
        for at, fmr in ((0.5, 1e-6), (1.0, 1e-4), (1.5, 1e-2))
    ),
)


def test_the_pairs_between_folders_are_counted_without_photographs_beside_them() -> None:
    files = {ROOT / "a" / "1.jpg": "ab", ROOT / "b" / "2.jpg": "cde", ROOT / "c" / "3.jpg": "f", ROOT / "4.jpg": "g"}
    found = find_made_up_faces(files)
    assert pairs_between_folders(found, folders_of(found, ROOT)) == 2 * 3 + 2 * 1 + 3 * 1


def test_without_folders_nothing_is_compared() -> None:
    found = find_made_up_faces({ROOT / "1.jpg": "a", ROOT / "2.jpg": "a"})
    folders = folders_of(found, ROOT)
    assert pairs_between_folders(found, folders) == 0


def test_files_with_the_same_bytes_are_reported_together() -> None:
    found = find_made_up_faces({Path(f"{number}.jpg"): "" for number in range(4)})
    found = replace(found, sha256=["x", "y", "x", "z"])
    assert identical_files(found) == [(Path("0.jpg"), Path("2.jpg"))]


def test_the_threshold_is_lower_for_more_pairs_and_never_above_that_of_a_verification() -> None:
    assert choose_threshold(CALIBRATION, 1_000, 1.242) == pytest.approx(1.0)
    assert choose_threshold(CALIBRATION, 10**9, 1.242) == pytest.approx(0.5)
    assert choose_threshold(CALIBRATION, 1, 1.242) == 1.242
    with pytest.raises(NoCalibration):
        choose_threshold(None, 1, 1.242)


def test_it_is_known_how_many_pairs_match_by_chance() -> None:
    assert chance_matches(CALIBRATION, 10_000, 1.0) == pytest.approx(1.0)
    assert chance_matches(CALIBRATION, 10_000, 0.1) is None
    assert chance_matches(None, 10_000, 1.0) is None
