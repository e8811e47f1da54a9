from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation.data.identities import read_identities
from models.evaluation.experiments.one_cluster import (
    ClusterStatistics,
    OneCluster,
    choose_cluster,
    evaluate_one_cluster,
)
from models.evaluation.reports.report import to_png
from service.clusterers import create_clusterer
from service.clusterers.base import Clusterer, ClusteringLimits
from service.pipeline.opening import PipelineOptions

pytestmark = pytest.mark.slow

LABELS = np.array([0, 0, 0, 1, 1, -1, -1, 1, 0])
PEOPLE = np.array([4, 4, 5, 5, 5, 6, 6, 4, 5])


@pytest.fixture
def clusterer() -> Clusterer:
    return create_clusterer("agglomerative", ClusteringLimits(threshold_sq_l2=1.34))


@pytest.mark.parametrize(("person", "members"), [(None, [0, 1, 2, 8]), (4, [0, 1, 2, 8])])
def test_the_largest_cluster_or_that_with_most_faces_of_the_person_is_chosen(
    person: int | None, members: list[int]
) -> None:
    assert choose_cluster(LABELS, PEOPLE, person).tolist() == members


def test_the_first_of_equally_good_clusters_is_chosen() -> None:
    assert choose_cluster(LABELS, PEOPLE, 5).tolist() == [0, 1, 2, 8]


def test_noise_is_no_cluster() -> None:
    with pytest.raises(DatasetError, match="There is no cluster to show"):
        choose_cluster(LABELS, PEOPLE, 6)
    with pytest.raises(DatasetError, match="There is no cluster to show"):
        choose_cluster(np.empty(0, np.int64), np.empty(0, np.int64), None)


def test_purity_is_a_share_of_the_cluster_and_found_is_a_share_of_the_person() -> None:
    cluster = OneCluster(
        files=tuple(Path(f"x/{person}/1.jpg") for person in ("ada", "bob", "ada", "ada")),
        people=("ada", "bob", "ada", "ada"),
        crops=np.zeros((4, 112, 112, 3), np.uint8),
        statistics=ClusterStatistics(person="ada", in_cluster=3, of_person=6, faces=9, clusters=2, pairwise_f=0.5),
    )

    assert (cluster.purity, cluster.share_of_person) == (0.75, 0.5)
    assert ("purity", "75.0 % (3 of 4)") in cluster.rows()
    assert ("of the person's photographs", "50.0 % (3 of 6)") in cluster.rows()
    assert cluster.numbers()["members"] == ["ada/1.jpg", "bob/1.jpg", "ada/1.jpg", "ada/1.jpg"]
    assert cluster.numbers()["found"] == 0.5
    assert to_png(cluster.draw()).startswith(b"\x89PNG")


@pytest.mark.parametrize(("person", "size"), [(None, 5), ("biden", 1)])
def test_real_photographs_of_a_person_are_one_cluster(
    options: PipelineOptions, photographs: Path, clusterer: Clusterer, person: str | None, size: int
) -> None:
    identities = read_identities(photographs, 100)

    cluster = evaluate_one_cluster(options, identities, clusterer, person, lambda: None)

    assert (len(cluster.files), cluster.purity, cluster.share_of_person) == (size, 1.0, 1.0)
    assert cluster.statistics == ClusterStatistics(person or "obama", size, size, 7, 3, 1.0)
    assert cluster.crops.shape == (size, 112, 112, 3)


def test_a_person_without_a_folder_is_refused(
    options: PipelineOptions, photographs: Path, clusterer: Clusterer
) -> None:
    with pytest.raises(DatasetError, match="no photograph of trump"):
        evaluate_one_cluster(options, read_identities(photographs, 100), clusterer, "trump", lambda: None)
