import json

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation.experiments.clustering import ClusteringReport, SamplePlan, evaluate_clustering
from models.evaluation.metrics.clustering import People
from models.evaluation.reports.report import to_png
from service.clusterers import label_faces
from service.clusterers.base import ClusteringLimits
from service.domain.distances import unit
from service.domain.embedding import Embeddings
from service.domain.errors import InvalidOption
from service.model_files.card import BoxAlignment, EmbedderCard
from service.model_files.clustering import ClusteringThresholds

THRESHOLDS = ClusteringThresholds(
    mixed_share=0.02, people=(2, 100), thresholds_sq_l2=(0.9, 0.5), measured_on="made-up people"
)


def _card(thresholds: ClusteringThresholds | None) -> EmbedderCard:
    return EmbedderCard(
        name="tiny",
        id="0" * 64,
        architecture="none",
        licence="none",
        training="none",
        dimension=16,
        alignment=BoxAlignment(margin=0, height=16, width=16),
        clustering=thresholds,
    )


@pytest.fixture(scope="module")
def faces() -> tuple[Embeddings, People]:
    """Return four faces of each of 30 people, in 16 dimensions. Some people are near each other."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(30), 4)
    centres = unit(rng.normal(size=(30, 16)).astype(np.float32))[people]
    return unit((centres + 0.1 * rng.normal(size=centres.shape)).astype(np.float32)), people


@pytest.fixture(scope="module")
def report(faces: tuple[Embeddings, People]) -> ClusteringReport:
    methods = ("agglomerative", "dbscan", "hdbscan")
    return evaluate_clustering(_card(THRESHOLDS), *faces, methods, SamplePlan((20, 120), draws=3))


def test_a_sample_of_all_faces_is_what_the_clusterer_gives(
    report: ClusteringReport, faces: tuple[Embeddings, People]
) -> None:
    embeddings, people = faces
    labels = label_faces(
        "agglomerative", ClusteringLimits(default_threshold=THRESHOLDS), embeddings, np.arange(120)
    ).labels
    members = [set(people[labels == label].tolist()) for label in range(labels.max() + 1)]
    point = next(point for point in report.points if (point.method, point.faces) == ("agglomerative", 120))
    for sample in point.samples:
        assert (sample.people, sample.clusters) == (30, len(members))
        assert sample.mixed == pytest.approx(np.mean([len(shown) > 1 for shown in members]))


def test_a_sample_has_all_photographs_of_nearly_all_of_its_people(report: ClusteringReport) -> None:
    for point in report.points:
        assert len(point.samples) == 3
        assert all(sample.people == point.faces / 4 for sample in point.samples)


def test_the_numbers_can_be_written_as_json_and_a_method_without_a_threshold_has_none(
    report: ClusteringReport,
) -> None:
    numbers = json.loads(json.dumps(report.numbers(), allow_nan=False))
    assert numbers["expected_mixed"] == 0.02
    by_method = {point["method"]: point for point in numbers["points"]}
    assert by_method["hdbscan"]["threshold_sq_l2"] is None
    assert 0 < by_method["dbscan"]["threshold_sq_l2"] < 0.9
    for point in numbers["points"]:
        assert point["highest_mixed"] >= point["mixed"] >= 0
        assert point["lowest_pairwise_f"] <= point["pairwise_f"] <= 1


def test_the_report_is_a_table_and_a_picture(report: ClusteringReport) -> None:
    assert [len(row) for row in report.rows()] == [8] * 7
    assert to_png(report.draw()).startswith(b"\x89PNG")


def test_more_faces_than_there_are_cannot_be_drawn(faces: tuple[Embeddings, People]) -> None:
    with pytest.raises(DatasetError, match="There are 120 faces, and a sample of 121 was asked for"):
        evaluate_clustering(_card(THRESHOLDS), *faces, ["hdbscan"], SamplePlan([121], 1))


def test_a_model_without_thresholds_can_use_only_methods_that_need_none(faces: tuple[Embeddings, People]) -> None:
    report = evaluate_clustering(_card(None), *faces, ["hdbscan"], SamplePlan([40], 1))
    assert report.numbers()["expected_mixed"] is None
    with pytest.raises(InvalidOption, match="threshold"):
        evaluate_clustering(_card(None), *faces, ["agglomerative"], SamplePlan([40], 1))
