"""Clustering the faces of photographs by person."""

from pathlib import Path

import pytest

from facenet_client.schemas import LoadedModelAnswer
from service.clusterers.base import ClusteringLimits
from service.commands.sorting.people import cluster_people, read_threshold, require_memory
from service.domain.command_errors import TooManyFaces
from service.model_files.clustering import ClusteringThresholds
from tests.support.made_up_faces import find_made_up_faces
from tests.support.model_answer import MODEL_ANSWER

LIMITS = ClusteringLimits(1.0)


def test_people_are_sorted_by_the_number_of_their_photographs() -> None:
    found = find_made_up_faces({Path(f"{n}.jpg"): people for n, people in enumerate(["a", "b", "ab", "b", "c"])})
    people = cluster_people(found, LIMITS, 2).people
    assert [person.name for person in people] == ["person-001", "person-002"]
    assert [[found.faces[face].photograph for face in person.faces] for person in people] == [[1, 2, 3], [0, 2]]


def test_with_one_photograph_as_the_minimum_everybody_is_a_person() -> None:
    found = find_made_up_faces({Path("1.jpg"): "ab", Path("2.jpg"): "a"})
    assert len(cluster_people(found, LIMITS, 1).people) == 2


def test_two_faces_of_one_photograph_are_never_one_person() -> None:
    found = find_made_up_faces({Path("twins.jpg"): "aa", Path("2.jpg"): "b"})
    assert cluster_people(found, LIMITS, 2).people == []


def test_no_face_is_nobody() -> None:
    assert cluster_people(find_made_up_faces({Path("1.jpg"): ""}), LIMITS, 1).people == []


def test_the_thresholds_of_the_model_say_how_many_people_may_be_mixed() -> None:
    found = find_made_up_faces({Path("1.jpg"): "ab", Path("2.jpg"): "a"})
    table = ClusteringThresholds(mixed_share=0.01, people=(2, 100), thresholds_sq_l2=(1.2, 1.0), measured_on="x")
    by_model = cluster_people(found, ClusteringLimits(default_threshold=table), 1)
    assert (by_model.threshold_sq_l2, by_model.expected_mixed_share) == (1.2, 0.01)
    by_user = cluster_people(found, ClusteringLimits(0.9, default_threshold=table), 1)
    assert (by_user.threshold_sq_l2, by_user.expected_mixed_share) == (0.9, None)


def test_more_faces_than_the_memory_can_hold_are_refused_with_the_number_that_it_can() -> None:
    require_memory(8000, 2**30)
    with pytest.raises(TooManyFaces, match=r"10,000 faces.* cluster 8,192\."):
        require_memory(10_000, 2**30)


def test_the_threshold_of_a_model_is_a_number_or_a_table_or_nothing() -> None:
    table = {"mixed_share": 0.01, "people": [2, 100], "thresholds_sq_l2": [1.2, 1.0], "measured_on": "x"}
    for sent, expected in ((1.1, 1.1), (table, ClusteringThresholds.model_validate(table)), (None, None)):
        assert (
            read_threshold(LoadedModelAnswer.model_validate(MODEL_ANSWER | {"clustering_threshold": sent})) == expected
        )
