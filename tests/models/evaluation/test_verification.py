from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation import metrics, verification
from models.evaluation.clustering import People
from models.evaluation.identities import read_identities
from models.evaluation.report import png
from models.evaluation.verification import Split, Verification, deal, pairs, verify
from service.distances import squared_l2, unit
from service.domain import Embeddings
from service.pipeline import PipelineOptions
from tests.pictures import meadow


def _faces(people: int, each: int, spread: float = 0.15) -> tuple[Embeddings, People]:
    """Photographs that lie around their people, in 16 dimensions."""
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.normal(size=(people, 16)), each, axis=0)
    faces = unit((unit(centres.astype(np.float32)) + spread * rng.normal(size=centres.shape)).astype(np.float32))
    return faces, np.repeat(np.arange(people), each)


def test_every_pair_is_compared_once() -> None:
    embeddings, people = _faces(4, 3)

    found = pairs(embeddings, people)

    expected = [
        (squared_l2(embeddings[[i]], embeddings[[j]])[0, 0], people[i] == people[j])
        for i, j in combinations(range(12), 2)
    ]
    assert found.distances == pytest.approx([distance for distance, _ in expected], abs=1e-6)
    assert found.same.tolist() == [same for _, same in expected]


def test_each_person_is_in_one_split_and_those_with_several_photographs_are_in_all() -> None:
    people = np.array([*np.repeat(np.arange(10), 3), *range(10, 40)])

    splits = deal(people)

    assert sorted(np.concatenate(splits)) == list(range(60))
    for one, other in combinations(splits, 2):
        assert not set(people[one]) & set(people[other])
    assert [np.sum(people[split] < 10) for split in splits] == [6] * 5


def test_val_is_the_mean_over_the_splits_with_its_standard_error() -> None:
    embeddings, people = _faces(60, 6)

    measured = verify(embeddings, people, left_out=2)

    vals = []
    for rows in deal(people):
        split = pairs(embeddings[rows], people[rows])
        d = metrics.threshold_at(split.distances, split.same, 1e-3)
        vals.append(metrics.validation_rate(split.distances, split.same, d))
    assert measured.val == metrics.Mean.of(vals)
    assert 0 < measured.val.standard_error < 0.1
    assert (measured.photographs, measured.people, measured.left_out) == (360, 60, 2)


def _known() -> Verification:
    """Five splits of 4 pairs of one person and 1,000 of two people, one of them nearer than the others."""
    distances = np.array([0.2, 0.4, 1.1, 1.3, 0.3, *np.linspace(1.2, 2, 999)], np.float32)
    return Verification.of([Split(distances, np.arange(1004) < 4)] * 5, 100, 50, 0)


def _uneven() -> Verification:
    """As above, but in one split 6 pairs of two people are nearer than most of one person, and in the others none."""
    near = np.array([0.2, 0.4, 1.1, 1.3, *[0.3] * 6, *np.linspace(1.4, 2, 994)], np.float32)
    far = np.array([0.2, 0.4, 1.1, 1.3, *np.linspace(1.4, 2, 1000)], np.float32)
    return Verification.of([Split(one, np.arange(1004) < 4) for one in (near, far, far, far, far)], 100, 50, 0)


def test_the_figures_are_of_the_pairs_of_all_splits() -> None:
    figures = _known().figures()

    assert figures["val_at_far_1e-3"] == 0.75
    assert figures["standard_error"] == 0.0
    assert figures["genuine_pairs"] == 20
    assert figures["impostor_pairs"] == 5000
    assert figures["fmr_at_1.242"] == pytest.approx(0.054)
    assert figures["fnmr_at_1.242"] == 0.25
    assert figures["best_threshold_sq_l2"] == pytest.approx(1.3)


def test_val_of_all_pairs_is_at_one_threshold_and_the_mean_over_the_splits_is_not() -> None:
    measured = _uneven()

    figures = measured.figures()

    assert figures["vals"] == [0.25, 1.0, 1.0, 1.0, 1.0]
    assert figures["val_at_far_1e-3"] == 0.85
    assert figures["all_pairs_val_at_far_1e-3"] == 0.25  # 5 of 5,000 are allowed, and 6 are at 0.3
    assert figures["all_pairs_threshold_at_far_1e-3_sq_l2"] == pytest.approx(0.3)
    assert measured.whole.fmr(measured.whole.threshold_at_far) <= 1e-3


def test_the_pairs_of_a_split_are_held_once() -> None:
    measured = _uneven()

    for number, split in enumerate(measured.splits):
        assert np.shares_memory(split.distances, measured.whole.distances)
        assert np.shares_memory(split.same, measured.whole.same)
        assert split.distances.tolist() == measured.whole.distances[1004 * number : 1004 * (number + 1)].tolist()


def test_the_report_is_told_and_drawn() -> None:
    rows = _known().rows()

    assert ("VAL at FMR 0.001, mean of 5 splits", "75.00 ± 0.00 %") in rows
    assert ("VAL at FMR 0.001, all pairs", "75.00 %") in rows
    assert ("threshold at FMR 0.001, all pairs", "1.200") in rows
    assert ("FMR, FNMR at 1.242", "5.400 %, 25.00 %") in rows
    assert ("pairs of one person, of two people", "20, 5,000") in rows
    assert png(_known().draw()).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("people", "each", "complaint"),
    [
        (4, 30, "has 0 pairs of one person and 0 of two people"),
        (20, 3, "has 12 pairs of one person and 54 of two people; VAL at FMR 0.001 needs 1 and 1000"),
        (400, 1, "has 0 pairs of one person"),
    ],
)
def test_too_few_people_are_refused(people: int, each: int, complaint: str) -> None:
    with pytest.raises(DatasetError, match=complaint):
        verify(*_faces(people, each))


def test_a_folder_with_one_photograph_of_each_person_is_refused_before_any_is_embedded(
    options: PipelineOptions, photographs: Path
) -> None:
    embedded: list[None] = []

    with pytest.raises(DatasetError, match="Nobody has two photographs"):
        verification.evaluate(options, read_identities(photographs, 1), lambda: embedded.append(None))
    assert not embedded


def test_too_few_pairs_of_a_split_are_refused_before_any_is_embedded(
    options: PipelineOptions, photographs: Path
) -> None:
    embedded: list[None] = []

    with pytest.raises(DatasetError, match="One of the 5 splits has 0 pairs of one person"):
        verification.evaluate(options, read_identities(photographs, 2), lambda: embedded.append(None))
    assert not embedded


def test_people_whose_faces_are_not_found_are_too_few_all_the_same(options: PipelineOptions, tmp_path: Path) -> None:
    for number in range(5 * 46):
        person = tmp_path / f"{number if number >= 10 else number // 2}"
        person.mkdir(exist_ok=True)
        (person / f"{number}.png").write_bytes(meadow(64, 64))
    embedded: list[None] = []

    with pytest.raises(DatasetError, match="One of the 5 splits has 0 pairs of one person and 0 of two people"):
        verification.evaluate(options, read_identities(tmp_path, 2), lambda: embedded.append(None))
    assert len(embedded) == 5 * 46
