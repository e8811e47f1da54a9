from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation.data.identities import read_identities
from models.evaluation.experiments.verification import (
    Verification,
    evaluate_verification,
    measure_verification,
    split_people,
)
from models.evaluation.metrics.clustering import People
from models.evaluation.metrics.labelled_pairs import LabelledPairs, MeanWithError, all_pairs
from models.evaluation.reports.report import to_png
from service.domain.distances import unit
from service.domain.embedding import Embeddings
from service.pipeline.opening import PipelineOptions
from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.slow


def _faces(people: int, each: int, spread: float = 0.15) -> tuple[Embeddings, People]:
    """Return embeddings near the centres of their people, in 16 dimensions."""
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.normal(size=(people, 16)), each, axis=0)
    faces = unit((unit(centres.astype(np.float32)) + spread * rng.normal(size=centres.shape)).astype(np.float32))
    return faces, np.repeat(np.arange(people), each)


def test_each_person_is_in_one_split_and_every_split_has_people_with_several_photographs() -> None:
    people = np.array([*np.repeat(np.arange(10), 3), *range(10, 40)])

    splits = split_people(people)

    assert sorted(np.concatenate(splits)) == list(range(60))
    for left, right in combinations(splits, 2):
        assert not set(people[left]) & set(people[right])
    assert [np.sum(people[split] < 10) for split in splits] == [6] * 5


def test_val_is_the_mean_over_the_splits_with_its_standard_error() -> None:
    embeddings, people = _faces(60, 6)

    measured = measure_verification(embeddings, people, left_out=2)

    vals = [all_pairs(embeddings[rows], people[rows]).val_at_fmr(1e-3) for rows in split_people(people)]
    assert measured.val == MeanWithError.from_values(vals)
    assert 0 < measured.val.standard_error < 0.1
    assert (measured.photographs, measured.people, measured.left_out) == (360, 60, 2)


def _known() -> Verification:
    """Return five splits of 4 mated and 1,000 non-mated pairs. One non-mated pair is nearer than the others."""
    distances = np.array([0.2, 0.4, 1.1, 1.3, 0.3, *np.linspace(1.2, 2, 999)], np.float32)
    return Verification.from_splits([LabelledPairs(distances, np.arange(1004) < 4)] * 5, 100, 50, 0)


def _uneven() -> Verification:
    """Return splits as above. But in one split, and only there, 6 non-mated pairs are nearer than most mated pairs."""
    near = np.array([0.2, 0.4, 1.1, 1.3, *[0.3] * 6, *np.linspace(1.4, 2, 994)], np.float32)
    far = np.array([0.2, 0.4, 1.1, 1.3, *np.linspace(1.4, 2, 1000)], np.float32)
    return Verification.from_splits(
        [LabelledPairs(distances, np.arange(1004) < 4) for distances in (near, far, far, far, far)], 100, 50, 0
    )


def test_the_numbers_are_measured_on_the_pairs_of_all_splits() -> None:
    numbers = _known().numbers()

    assert numbers["val_at_fmr_1e-3"] == 0.75
    assert numbers["standard_error"] == 0.0
    assert numbers["mated_pairs"] == 20
    assert numbers["non_mated_pairs"] == 5000
    assert numbers["fmr_at_1.242"] == pytest.approx(0.054)
    assert numbers["fnmr_at_1.242"] == 0.25
    assert numbers["best_threshold_sq_l2"] == pytest.approx(1.3)


def test_val_of_all_pairs_has_one_threshold_and_the_mean_over_the_splits_has_one_for_each() -> None:
    measured = _uneven()

    numbers = measured.numbers()

    assert numbers["vals"] == [0.25, 1.0, 1.0, 1.0, 1.0]
    assert numbers["val_at_fmr_1e-3"] == 0.85
    assert numbers["all_pairs_val_at_fmr_1e-3"] == 0.25  # 5 of 5,000 are allowed, and 6 are at 0.3
    assert numbers["all_pairs_threshold_at_fmr_1e-3_sq_l2"] == pytest.approx(0.3)
    assert measured.pairs.false_match_rate(measured.pairs.threshold_at_fmr()) <= 1e-3


def test_val_can_be_measured_at_another_fmr() -> None:
    embeddings, people = _faces(60, 6, spread=0.3)

    strict, lenient = (measure_verification(embeddings, people, fmr=fmr) for fmr in (1e-3, 1e-2))

    assert lenient.val.value > strict.val.value
    assert lenient.numbers()["val_at_fmr_1e-2"] == lenient.val.value
    assert ("VAL at FMR 0.01, mean of 5 splits", lenient.val.as_percent) in lenient.rows()
    with pytest.raises(DatasetError, match=r"VAL at FMR 1e-05 needs at least 1 and 100000 in each split"):
        measure_verification(embeddings, people, fmr=1e-5)


def test_splits_are_views_of_all_pairs() -> None:
    measured = _uneven()

    for number, split in enumerate(measured.splits):
        assert np.shares_memory(split.distances, measured.pairs.distances)
        assert np.shares_memory(split.same, measured.pairs.same)
        assert split.distances.tolist() == measured.pairs.distances[1004 * number : 1004 * (number + 1)].tolist()


def test_the_report_has_rows_and_a_picture() -> None:
    rows = _known().rows()

    assert ("VAL at FMR 0.001, mean of 5 splits", "75.00 ± 0.00 %") in rows
    assert ("VAL at FMR 0.001, all pairs", "75.00 %") in rows
    assert ("threshold at FMR 0.001, all pairs", "1.200") in rows
    assert ("FMR, FNMR at 1.242", "5.400 %, 25.00 %") in rows
    assert ("pairs of one person, of two people", "20, 5,000") in rows
    assert to_png(_known().draw()).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("people", "each", "message"),
    [
        (4, 30, "are 0 of one person and 0 of two people"),
        (
            20,
            3,
            r"are 12 of one person and 54 of two people\. VAL at FMR 0\.001 needs at least 1 and 1000 in each split",
        ),
        (400, 1, "are 0 of one person"),
    ],
)
def test_too_few_people_are_refused(people: int, each: int, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        measure_verification(*_faces(people, each))


def test_a_folder_with_one_photograph_of_each_person_is_refused_before_any_is_embedded(
    options: PipelineOptions, photographs: Path
) -> None:
    embedded: list[None] = []

    with pytest.raises(DatasetError, match="Nobody has two photographs"):
        evaluate_verification(options, read_identities(photographs, 1), lambda: embedded.append(None))
    assert not embedded


def test_too_few_pairs_of_a_split_are_refused_before_any_is_embedded(
    options: PipelineOptions, photographs: Path
) -> None:
    embedded: list[None] = []

    with pytest.raises(DatasetError, match="The smallest numbers of pairs in the 5 splits are 0 of one person"):
        evaluate_verification(options, read_identities(photographs, 2), lambda: embedded.append(None))
    assert not embedded


def test_people_are_too_few_if_no_face_is_found(options: PipelineOptions, tmp_path: Path) -> None:
    for number in range(5 * 46):
        person = tmp_path / f"{number if number >= 10 else number // 2}"
        person.mkdir(exist_ok=True)
        (person / f"{number}.png").write_bytes(png_without_face(64, 64))
    embedded: list[None] = []

    with pytest.raises(
        DatasetError, match="The smallest numbers of pairs in the 5 splits are 0 of one person and 0 of two people"
    ):
        evaluate_verification(options, read_identities(tmp_path, 2), lambda: embedded.append(None))
    assert len(embedded) == 5 * 46
