from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models.calibration import thresholds
from models.calibration.thresholds import LabelledEmbeddings
from models.commands.app import app
from models.errors import DatasetError
from service.domain.distances import squared_l2, unit
from service.model_files.error_rates import COMPARED_PER_PERSON


def _embeddings(people: int, photographs: int, spread: float, seed: int = 0) -> LabelledEmbeddings:
    """Return embeddings near the centres of their people, in 16 dimensions."""
    rng = np.random.default_rng(seed)
    centres = unit(np.repeat(rng.normal(size=(people, 16)), photographs, axis=0).astype(np.float32))
    vectors = unit((centres + spread * rng.normal(size=centres.shape)).astype(np.float32))
    return LabelledEmbeddings(vectors, np.repeat(np.arange(people), photographs), 0)


def _by_another_model(faces: LabelledEmbeddings) -> LabelledEmbeddings:
    """Return the embeddings of the same photographs by another model: each embedding is moved a little."""
    movement = 0.1 * np.random.default_rng(5).normal(size=faces.embeddings.shape)
    return LabelledEmbeddings(unit((faces.embeddings + movement).astype(np.float32)), faces.people, faces.left_out)


def _rate_of_false_matches(probes: LabelledEmbeddings, gallery: LabelledEmbeddings, threshold_sq_l2: float) -> float:
    """Return the share of searches that give a match. Nobody who is searched is enrolled.

    There are 40 drawn galleries, each with 40 references of other people. Each person has three photographs.
    """
    rng = np.random.default_rng(2)
    matched: list[bool] = []
    for _ in range(40):
        enrolled = rng.permutation(120)[:40]
        references = gallery.embeddings[enrolled * 3 + rng.integers(0, 3, 40)]
        not_enrolled = ~np.isin(probes.people, enrolled)
        nearest = squared_l2(probes.embeddings[not_enrolled], references).min(axis=1)
        matched += (nearest < threshold_sq_l2).tolist()
    return float(np.mean(matched))


def test_people_who_are_not_enrolled_get_a_match_at_the_requested_rate() -> None:
    faces = _embeddings(people=120, photographs=3, spread=0.1)

    threshold = thresholds.find_identification_threshold(faces, faces, 40, 0.05, np.random.default_rng(1))

    assert _rate_of_false_matches(faces, faces, threshold) == pytest.approx(0.05, abs=0.015)


def test_a_larger_gallery_needs_a_lower_threshold() -> None:
    faces = _embeddings(people=120, photographs=3, spread=0.1)

    of_few, of_many = (
        thresholds.find_identification_threshold(faces, faces, references, 0.05, np.random.default_rng(1))
        for references in (10, 100)
    )

    assert of_many < of_few


def test_people_have_the_same_weight_however_many_photographs_they_have() -> None:
    values = np.array([0.1, 0.2, 0.3, 0.4, 0.9], np.float32)
    weights = np.array([1 / 4] * 4 + [1.0])

    assert thresholds.weighted_quantile(values, weights, 0.5) == pytest.approx(0.9)
    assert thresholds.weighted_quantile(values, np.ones(5), 0.5) == pytest.approx(0.3)


def test_the_values_below_the_quantile_have_the_requested_share() -> None:
    values = np.arange(1000, dtype=np.float32)

    quantile = thresholds.weighted_quantile(values, np.ones(1000), 0.01)

    assert np.mean(values < quantile) == 0.01


def test_the_requested_rate_holds_between_two_models() -> None:
    old = _embeddings(people=120, photographs=3, spread=0.1)
    new = _by_another_model(old)

    threshold = thresholds.find_identification_threshold(new, old, 40, 0.05, np.random.default_rng(1))

    assert _rate_of_false_matches(new, old, threshold) == pytest.approx(0.05, abs=0.015)


def test_an_error_rate_counts_every_pair_of_photographs() -> None:
    old = _embeddings(people=30, photographs=3, spread=0.3)
    new = _by_another_model(old)

    rate = thresholds.cross_error_rate(new, old, 0.9, "made up")

    # A slow and simple way: compare each photograph with each other photograph, in both directions.
    accepted: dict[bool, list[bool]] = {True: [], False: []}
    for probe, reference in permutations(range(90), 2):
        distance = float(squared_l2(new.embeddings[[probe]], old.embeddings[[reference]])[0, 0])
        accepted[bool(new.people[probe] == old.people[reference])].append(distance < 0.9)
    assert rate.fmr == pytest.approx(np.mean(accepted[False]))
    assert rate.fnmr == pytest.approx(1 - np.mean(accepted[True]))
    assert all(0 < share < 1 for share in (rate.fmr, rate.fnmr))
    assert (rate.non_mated_pairs, rate.mated_pairs) == (90 * 87 // 2, 90)
    assert (rate.threshold_sq_l2, rate.measured_on) == (0.9, "made up")


def test_an_error_rate_takes_four_photographs_of_a_person_at_most() -> None:
    faces = _embeddings(people=30, photographs=9, spread=0.1)

    rate = thresholds.cross_error_rate(faces, faces, 1.0, "made up")

    assert rate.mated_pairs == 30 * 6


@pytest.mark.parametrize(
    ("people", "remedy"),
    [
        (30, r"there are 30\. Pass --references 29 or fewer, or give more people\."),
        (1, r"there are 1\. Give more people\."),
    ],
)
def test_more_references_than_people_are_refused(people: int, remedy: str) -> None:
    faces = _embeddings(people, 2, 0.1)
    with pytest.raises(DatasetError, match=f"30 references need more than 30 people; {remedy}"):
        thresholds.find_identification_threshold(faces, faces, 30, 0.01, np.random.default_rng(0))


def test_too_few_people_are_refused_before_any_photograph_is_embedded(tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").touch()

    with pytest.raises(DatasetError, match="2 references need more than 2 people; there are 2"):
        CliRunner().invoke(app, ["calibrate", str(tmp_path), "--references", "2"], catch_exceptions=False)


def test_a_calibration_is_printed_as_the_catalogue_has_it() -> None:
    faces = _embeddings(400, 3, 0.08)
    calibration = thresholds.calibrate(faces, 100, 0.02)

    text = calibration.to_toml("sface")

    rng = np.random.default_rng(thresholds.SEED)
    exact = thresholds.find_identification_threshold(faces, faces, 100, 0.02, rng)
    assert exact - 0.001 < calibration.identification.threshold_sq_l2 <= exact
    assert text.startswith("# 1200 photographs, 0 without a face; 400 people with one\n")
    assert "[models.sface.thresholds]\nidentification = { threshold_sq_l2 = " in text
    assert "fpir = 0.02, references = 100 }" in text


def test_a_sample_takes_some_photographs_of_each_person(tmp_path: Path) -> None:
    for person in range(20):
        folder = tmp_path / f"{person:03}"
        folder.mkdir()
        for number in range(12):
            (folder / f"{number}.jpg").touch()
        (folder / "notes.txt").touch()

    sample = thresholds.draw_sample(tmp_path)

    assert np.bincount(sample.people).tolist() == [COMPARED_PER_PERSON] * 20
    assert len(set(sample.files)) == len(sample.files)
    assert thresholds.draw_sample(tmp_path) == sample
    for file, person in zip(sample.files, sample.people, strict=True):
        assert file.parent == sample.files[sample.people.index(person)].parent


def test_a_sample_can_be_limited_to_listed_people(tmp_path: Path) -> None:
    for name in ("ada", "bob", "cy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").touch()
    (tmp_path / "only.txt").write_text("ada\ncy\n", "utf-8")

    sample = thresholds.draw_sample(tmp_path, tmp_path / "only.txt")

    assert sorted(file.parent.name for file in sample.files) == ["ada", "cy"]


def test_a_photograph_under_several_names_is_refused() -> None:
    equal = np.zeros((9, 4), np.float32)
    equal[:, 0] = 1.0
    with pytest.raises(DatasetError, match="Remove duplicates"):
        thresholds.calibrate(LabelledEmbeddings(equal, np.arange(9), 0), 5, 0.1)


@pytest.mark.parametrize(
    ("people", "photographs", "message"),
    [(60, 3, "43,500 pairs of photographs of two people; there are 15,930"), (310, 1, "two photographs of most")],
)
def test_every_limit_is_checked_before_any_photograph_is_embedded(
    tmp_path: Path, people: int, photographs: int, message: str
) -> None:
    for person in range(people):
        (tmp_path / f"{person}").mkdir()
        for photograph in range(photographs):
            (tmp_path / f"{person}" / f"{photograph}.jpg").touch()

    with pytest.raises(DatasetError, match=message):
        CliRunner().invoke(app, ["calibrate", str(tmp_path), "--references", "10"], catch_exceptions=False)
