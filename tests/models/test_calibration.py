from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models import calibration
from models.__main__ import app
from models.calibration import Faces
from models.errors import DatasetError
from service.clusterers.base import Grouping, Labels, Photographs
from service.distances import squared_l2, unit
from service.domain import Embeddings


def _faces(people: int, each: int, spread: float, seed: int = 0) -> Faces:
    """Photographs that lie around their people, in 16 dimensions."""
    rng = np.random.default_rng(seed)
    centres = unit(np.repeat(rng.normal(size=(people, 16)), each, axis=0).astype(np.float32))
    vectors = unit((centres + spread * rng.normal(size=centres.shape)).astype(np.float32))
    return Faces(vectors, np.repeat(np.arange(people), each), 0)


def _by_another_model(faces: Faces) -> Faces:
    """The same photographs, each a little elsewhere."""
    moved = 0.1 * np.random.default_rng(5).normal(size=faces.embeddings.shape)
    return Faces(unit((faces.embeddings + moved).astype(np.float32)), faces.people, faces.left_out)


def test_strangers_are_called_somebody_at_the_rate_that_was_asked_for() -> None:
    faces = _faces(people=120, each=3, spread=0.1)

    threshold = calibration.identification_threshold(faces, faces, 40, 0.05, np.random.default_rng(1))

    # Slowly: each photograph of each person, in galleries of 40 others that are drawn anew.
    rng = np.random.default_rng(2)
    called = []
    for _ in range(40):
        gallery = rng.permutation(120)[:40]
        references = faces.embeddings[gallery * 3 + rng.integers(0, 3, 40)]
        strangers = ~np.isin(faces.people, gallery)
        called += (squared_l2(faces.embeddings[strangers], references).min(axis=1) < threshold).tolist()
    assert np.mean(called) == pytest.approx(0.05, abs=0.015)


def test_a_larger_gallery_needs_a_lower_threshold() -> None:
    faces = _faces(people=120, each=3, spread=0.1)

    few, many = (
        calibration.identification_threshold(faces, faces, count, 0.05, np.random.default_rng(1)) for count in (10, 100)
    )

    assert many < few


def test_people_count_equally_however_many_photographs_they_have() -> None:
    values = np.array([0.1, 0.2, 0.3, 0.4, 0.9], np.float32)
    weights = np.array([1 / 4] * 4 + [1.0])

    assert calibration.weighted_quantile(values, weights, 0.5) == pytest.approx(0.9)
    assert calibration.weighted_quantile(values, np.ones(5), 0.5) == pytest.approx(0.3)


def test_the_rate_is_kept_by_what_is_below_the_threshold() -> None:
    values = np.arange(1000, dtype=np.float32)

    threshold = calibration.weighted_quantile(values, np.ones(1000), 0.01)

    assert np.mean(values < threshold) == 0.01


def test_strangers_of_one_model_are_called_somebody_of_another_s_gallery_at_the_rate_that_was_asked_for() -> None:
    old = _faces(people=120, each=3, spread=0.1)
    new = _by_another_model(old)

    threshold = calibration.identification_threshold(new, old, 40, 0.05, np.random.default_rng(1))

    # Slowly, as above, with probes of the one and references of the other.
    rng = np.random.default_rng(2)
    called = []
    for _ in range(40):
        gallery = rng.permutation(120)[:40]
        references = old.embeddings[gallery * 3 + rng.integers(0, 3, 40)]
        strangers = ~np.isin(new.people, gallery)
        called += (squared_l2(new.embeddings[strangers], references).min(axis=1) < threshold).tolist()
    assert np.mean(called) == pytest.approx(0.05, abs=0.015)


def test_an_error_rate_counts_every_pair_of_photographs() -> None:
    old = _faces(people=30, each=3, spread=0.3)
    new = _by_another_model(old)

    found = calibration.error_rate(new, old, 0.9, "made up")

    # Slowly, each photograph with each other one, both ways.
    accepted: dict[bool, list[bool]] = {True: [], False: []}
    for i, j in permutations(range(90), 2):
        distance = float(squared_l2(new.embeddings[[i]], old.embeddings[[j]])[0, 0])
        accepted[bool(new.people[i] == old.people[j])].append(distance < 0.9)
    assert found.fmr == pytest.approx(np.mean(accepted[False]))
    assert found.fnmr == pytest.approx(1 - np.mean(accepted[True]))
    assert all(0 < rate < 1 for rate in (found.fmr, found.fnmr))
    assert (found.impostor_pairs, found.genuine_pairs) == (90 * 87 // 2, 90)
    assert (found.threshold_sq_l2, found.measured_on) == (0.9, "made up")


def test_nobody_outweighs_the_others_in_an_error_rate() -> None:
    faces = _faces(people=30, each=9, spread=0.1)

    found = calibration.error_rate(faces, faces, 1.0, "made up")

    assert found.genuine_pairs == 30 * 6


@pytest.mark.parametrize(
    ("people", "remedy"),
    [
        (30, r"there are 30\. Pass --references 29 or fewer, or give more people\."),
        (1, r"there are 1\. Give more people\."),
    ],
)
def test_more_references_than_people_are_refused(people: int, remedy: str) -> None:
    faces = _faces(people, 2, 0.1)
    with pytest.raises(DatasetError, match=f"30 references need more people than that; {remedy}"):
        calibration.identification_threshold(faces, faces, 30, 0.01, np.random.default_rng(0))


def test_too_few_people_are_refused_before_any_is_embedded(tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").touch()

    with pytest.raises(DatasetError, match="2 references need more people than that; there are 2"):
        CliRunner().invoke(app, ["calibrate", str(tmp_path), "--references", "2"], catch_exceptions=False)


class _ByHand:
    """A clusterer that is right where the threshold is the right one, and puts all together elsewhere."""

    def __init__(self, grouping: Grouping) -> None:
        self._right = grouping.threshold_sq_l2 == 1.2

    def cluster(self, embeddings: Embeddings, photographs: Photographs) -> Labels:
        return photographs // 3 if self._right else np.zeros(len(embeddings), np.int64)


def test_the_threshold_with_the_best_groups_is_taken() -> None:
    best = calibration.clustering_threshold(_faces(5, 3, 0.1), _ByHand)

    assert best == calibration.BestThreshold(1.2, 1.0)


def test_a_calibration_is_printed_as_the_zoo_has_it() -> None:
    faces = _faces(400, 3, 0.08)
    calibrated = calibration.calibrate(faces, 100, 0.02)

    text = calibrated.toml("sface")

    exact = calibration.identification_threshold(faces, faces, 100, 0.02, np.random.default_rng(calibration.SEED))
    assert exact - 0.001 < calibrated.identification.threshold_sq_l2 <= exact
    assert text.startswith("# 1200 photographs, 0 without a face; 400 people with one\n")
    assert "[models.sface.thresholds]\nidentification = { threshold_sq_l2 = " in text
    assert "fpir = 0.02, references = 100 }" in text
    assert all(best.f > 0.9 for best in calibrated.clustering.values())


def test_a_sample_takes_more_of_the_people_who_are_clustered(tmp_path: Path) -> None:
    for person in range(calibration.CLUSTERED_PEOPLE + 20):
        folder = tmp_path / f"{person:03}"
        folder.mkdir()
        for number in range(12):
            (folder / f"{number}.jpg").touch()
        (folder / "notes.txt").touch()

    sample = calibration.draw_sample(tmp_path)

    counts = np.bincount(sample.people)
    assert (
        counts.tolist()
        == [calibration.CLUSTERED_PER_PERSON] * calibration.CLUSTERED_PEOPLE + [calibration.PROBES_PER_PERSON] * 20
    )
    assert len(set(sample.files)) == len(sample.files)
    assert calibration.draw_sample(tmp_path) == sample
    for file, person in zip(sample.files, sample.people, strict=True):
        assert file.parent == sample.files[sample.people.index(person)].parent


def test_a_sample_may_be_of_the_people_that_are_listed(tmp_path: Path) -> None:
    for name in ("ada", "bob", "cy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").touch()
    (tmp_path / "only.txt").write_text("ada\ncy\n", "utf-8")

    sample = calibration.draw_sample(tmp_path, tmp_path / "only.txt")

    assert sorted(file.parent.name for file in sample.files) == ["ada", "cy"]


def test_photographs_that_stand_under_several_names_are_told() -> None:
    one = np.zeros((9, 4), np.float32)
    one[:, 0] = 1.0
    with pytest.raises(DatasetError, match="Remove duplicates"):
        calibration.calibrate(calibration.Faces(one, np.arange(9), 0), 5, 0.1)
