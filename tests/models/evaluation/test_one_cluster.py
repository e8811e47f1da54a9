from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation import one_cluster
from models.evaluation.identities import read_identities
from models.evaluation.one_cluster import Grouped, OneCluster, choose
from models.evaluation.report import png
from service.clusterers import build
from service.clusterers.base import Grouping
from service.pipeline import PipelineOptions

LABELS = np.array([0, 0, 0, 1, 1, -1, -1, 1, 0])
PEOPLE = np.array([4, 4, 5, 5, 5, 6, 6, 4, 5])


@pytest.mark.parametrize(("person", "members"), [(None, [0, 1, 2, 8]), (4, [0, 1, 2, 8])])
def test_the_largest_or_the_one_with_most_of_the_person_is_chosen(person: int | None, members: list[int]) -> None:
    assert choose(LABELS, PEOPLE, person).tolist() == members


def test_of_equally_good_clusters_the_first_is_chosen() -> None:
    assert choose(LABELS, PEOPLE, 5).tolist() == [0, 1, 2, 8]


def test_noise_is_no_cluster() -> None:
    with pytest.raises(DatasetError, match="There is no cluster to show"):
        choose(LABELS, PEOPLE, 6)
    with pytest.raises(DatasetError, match="There is no cluster to show"):
        choose(np.empty(0, np.int64), np.empty(0, np.int64), None)


def test_purity_is_of_the_cluster_and_what_was_found_is_of_the_person() -> None:
    crops = np.zeros((4, 112, 112, 3), np.uint8)
    grouped = Grouped(person="ada", own=3, of_person=6, faces=9, clusters=2, f=0.5)

    shown = OneCluster(
        tuple(Path(f"x/{person}/1.jpg") for person in ("ada", "bob", "ada", "ada")),
        ("ada", "bob", "ada", "ada"),
        crops,
        grouped,
    )

    assert (shown.purity, shown.found) == (0.75, 0.5)
    assert ("purity", "75.0 % (3 of 4)") in shown.rows()
    assert ("of the person's photographs", "50.0 % (3 of 6)") in shown.rows()
    assert shown.figures()["members"] == ["ada/1.jpg", "bob/1.jpg", "ada/1.jpg", "ada/1.jpg"]
    assert png(shown.draw()).startswith(b"\x89PNG")


@pytest.mark.parametrize(("person", "size"), [(None, 5), ("biden", 1)])
def test_real_photographs_of_a_person_are_one_cluster(
    options: PipelineOptions, photographs: Path, person: str | None, size: int
) -> None:
    identities = read_identities(photographs, 100)

    shown = one_cluster.evaluate(
        options, identities, build("agglomerative", Grouping(threshold_sq_l2=1.34)), person, lambda: None
    )

    assert (len(shown.files), shown.purity, shown.found) == (size, 1.0, 1.0)
    assert shown.grouped == Grouped(person or "obama", size, size, 7, 3, 1.0)
    assert shown.crops.shape == (size, 112, 112, 3)


def test_somebody_who_is_not_there_is_refused(options: PipelineOptions, photographs: Path) -> None:
    with pytest.raises(DatasetError, match="no photograph of trump"):
        one_cluster.evaluate(
            options,
            read_identities(photographs, 100),
            build("agglomerative", Grouping(threshold_sq_l2=1.34)),
            "trump",
            lambda: None,
        )
