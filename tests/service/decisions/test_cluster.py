import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.clusterers.base import NOISE
from service.decisions.cluster import (
    Clustering,
    ClusteringOptions,
    ClusteringPlaces,
    FacesToCluster,
    cluster,
    faces_of_collection,
    faces_of_embeddings,
    faces_of_images,
)
from service.decisions.inputs import PhotographInput
from service.decisions.probes import ProbeReader
from service.domain.distances import squared_l2, unit
from service.domain.embedding import Embeddings
from service.domain.errors import CollectionNotFound, InvalidEmbedding, InvalidOption, ModelMismatch, UnreadableImage
from service.gallery.base import FaceToEnrol, SubjectToCreate
from service.gallery.opening import open_gallery
from service.model_files.card import Thresholds
from service.pipeline.pipeline import Pipeline
from service.pipeline.processes.worker_process import WorkerProcess
from service.pipeline.round_robin import RoundRobinThreads
from service.pipeline.selection import main_face
from tests.support.sample_images import place_side_by_side, png_without_face

pytestmark = pytest.mark.anyio

AGGLOMERATIVE = ClusteringOptions("agglomerative", threshold_sq_l2=1.0, n_clusters=None, one_person_once=True)
MAX_FACES = 1_000


@pytest.fixture
def probes(pipeline: Pipeline, tmp_path: Path) -> Iterator[ProbeReader]:
    """Return a reader with an empty gallery."""
    with open_gallery(tmp_path, "exact") as gallery:
        yield ProbeReader(pipeline, gallery)


async def cluster_faces(
    probes: ProbeReader, faces: FacesToCluster, options: ClusteringOptions = AGGLOMERATIVE
) -> Clustering:
    async with WorkerProcess() as process:
        return await cluster(probes, faces, options, ClusteringPlaces(RoundRobinThreads(1), process))


def with_thresholds(probes: ProbeReader, clustering: dict[str, float]) -> ProbeReader:
    """Return a reader whose card has these thresholds for clustering, whatever the number of people."""
    card = probes.pipeline.card.model_copy(update={"thresholds": Thresholds(clustering=clustering), "clustering": None})
    return replace(probes, pipeline=replace(probes.pipeline, card=card))


def random_embeddings(n: int, seed: int = 0) -> Embeddings:
    return unit(np.random.default_rng(seed).normal(size=(n, 128)).astype(np.float32))


def to_faces(probes: ProbeReader, embeddings: Embeddings) -> FacesToCluster:
    return faces_of_embeddings(probes, embeddings.tolist(), probes.loaded_model.id, MAX_FACES)


async def test_photographs_are_clustered_by_person(
    probes: ProbeReader, obama: bytes, biden: bytes, obama2: bytes
) -> None:
    faces, read = await faces_of_images(
        probes, [PhotographInput(photograph) for photograph in (obama, png_without_face(), biden, obama2)], MAX_FACES
    )
    clustering = await cluster_faces(probes, faces)
    assert [len(probe.faces) for probe in read] == [1, 0, 1, 1]
    assert faces.photographs.tolist() == [0, 2, 3]
    assert clustering.labels.tolist() == [0, 1, 0]
    assert [cluster.members for cluster in clustering.clusters] == [(0, 2), (1,)]


async def test_two_faces_of_one_photograph_are_two_people_unless_one_person_once_is_false(
    probes: ProbeReader, obama: bytes
) -> None:
    faces, _ = await faces_of_images(probes, [PhotographInput(place_side_by_side(obama, obama))], MAX_FACES)
    assert (await cluster_faces(probes, faces)).labels.tolist() == [0, 1]
    assert (await cluster_faces(probes, faces, replace(AGGLOMERATIVE, one_person_once=False))).labels.tolist() == [0, 0]


async def test_the_error_of_a_bad_photograph_has_its_position(probes: ProbeReader, obama: bytes) -> None:
    with pytest.raises(UnreadableImage) as error:
        await faces_of_images(probes, [PhotographInput(obama), PhotographInput(b"no picture")], MAX_FACES)
    assert error.value.input_name == "images[1]"


async def test_photographs_without_a_face_give_no_cluster(probes: ProbeReader) -> None:
    faces, _ = await faces_of_images(probes, [PhotographInput(png_without_face())], MAX_FACES)
    clustering = await cluster_faces(probes, faces)
    assert faces.embeddings.shape == (0, 128)
    assert clustering.labels.shape == (0,)
    assert clustering.clusters == ()


async def test_the_default_threshold_is_that_of_the_card_for_the_method(probes: ProbeReader) -> None:
    faces = to_faces(probes, np.eye(2, 128, dtype=np.float32))  # the squared distance is 2
    unset = replace(AGGLOMERATIVE, threshold_sq_l2=None)
    near = await cluster_faces(with_thresholds(probes, {"agglomerative": 2.1, "dbscan": 1.0}), faces, unset)
    far = await cluster_faces(with_thresholds(probes, {"agglomerative": 1.9, "dbscan": 4.0}), faces, unset)
    assert (near.threshold_sq_l2, near.labels.tolist()) == (2.1, [0, 0])
    assert (far.threshold_sq_l2, far.labels.tolist()) == (1.9, [0, 1])


async def test_the_default_threshold_is_lower_for_more_people_and_the_answer_has_the_expected_share(
    probes: ProbeReader,
) -> None:
    thresholds = probes.card.clustering
    assert thresholds is not None
    unset = replace(AGGLOMERATIVE, threshold_sq_l2=None)
    of_few = await cluster_faces(probes, to_faces(probes, random_embeddings(20)), unset)
    of_many = await cluster_faces(probes, to_faces(probes, random_embeddings(200)), unset)
    for found in (of_few, of_many):
        assert found.threshold_sq_l2 == pytest.approx(float(thresholds.at(len(found.clusters))))
        assert found.expected_mixed_share == thresholds.mixed_share
    assert len(of_many.clusters) > len(of_few.clusters)


@pytest.mark.parametrize(
    "how",
    [
        AGGLOMERATIVE,
        replace(AGGLOMERATIVE, threshold_sq_l2=None, n_clusters=3),
        replace(AGGLOMERATIVE, method="kmeans", threshold_sq_l2=None, n_clusters=3),
        replace(AGGLOMERATIVE, method="hdbscan", threshold_sq_l2=None),
    ],
)
async def test_without_a_default_threshold_no_share_is_expected(probes: ProbeReader, how: ClusteringOptions) -> None:
    found = await cluster_faces(probes, to_faces(probes, random_embeddings(10)), how)
    assert (found.threshold_sq_l2, found.expected_mixed_share) == (how.threshold_sq_l2, None)


@pytest.mark.parametrize("name", ["agglomerative", "dbscan"])
async def test_a_method_that_needs_a_threshold_is_refused_without_one(probes: ProbeReader, name: str) -> None:
    with pytest.raises(InvalidOption, match="threshold"):
        await cluster_faces(
            with_thresholds(probes, {}),
            to_faces(probes, random_embeddings(3)),
            ClusteringOptions(name, None, None, one_person_once=True),
        )


async def test_a_number_of_clusters_replaces_the_threshold_of_the_card(probes: ProbeReader) -> None:
    options = replace(AGGLOMERATIVE, threshold_sq_l2=None, n_clusters=2)
    clustering = await cluster_faces(
        with_thresholds(probes, {"agglomerative": 1.0}), to_faces(probes, random_embeddings(5)), options
    )
    assert clustering.threshold_sq_l2 is None
    assert len(clustering.clusters) == 2


async def test_the_representative_is_the_member_nearest_to_the_other_members(probes: ProbeReader) -> None:
    rng = np.random.default_rng(1)
    faces = to_faces(
        probes, unit((np.eye(3, 128)[np.arange(60) % 3] + 0.03 * rng.normal(size=(60, 128))).astype(np.float32))
    )
    clustering = await cluster_faces(probes, faces)
    assert [len(cluster.members) for cluster in clustering.clusters] == [20, 20, 20]
    for described in clustering.clusters:
        embeddings = faces.embeddings[list(described.members)]
        assert (
            described.representative == described.members[int(squared_l2(embeddings, embeddings).mean(axis=1).argmin())]
        )


async def test_noise_is_in_no_cluster(probes: ProbeReader) -> None:
    faces = to_faces(probes, np.eye(2, 128, dtype=np.float32)[[0, 1, 0]])
    clustering = await cluster_faces(probes, faces, ClusteringOptions("dbscan", 1.0, None, one_person_once=True))
    assert clustering.labels.tolist() == [0, NOISE, 0]
    assert [cluster.members for cluster in clustering.clusters] == [(0, 2)]


async def test_each_given_embedding_counts_as_its_own_photograph(probes: ProbeReader) -> None:
    faces = to_faces(probes, random_embeddings(4))
    np.testing.assert_allclose(faces.embeddings, random_embeddings(4), atol=1e-6)
    assert faces.photographs.tolist() == [0, 1, 2, 3]


async def test_given_embeddings_of_another_model_are_refused(probes: ProbeReader) -> None:
    with pytest.raises(ModelMismatch):
        faces_of_embeddings(probes, random_embeddings(2).tolist(), "0" * 64, MAX_FACES)


async def test_the_error_of_a_bad_embedding_has_its_position(probes: ProbeReader) -> None:
    with pytest.raises(InvalidEmbedding) as error:
        to_faces(probes, random_embeddings(3) * np.array([[1], [1], [0.5]], np.float32))
    assert error.value.input_name == "embeddings[2]"


async def test_the_faces_of_a_collection_are_clustered(
    probes: ProbeReader, obama: bytes, biden: bytes, obama2: bytes
) -> None:
    images = [PhotographInput(photograph) for photograph in (obama, biden, obama2)]
    image_faces, _ = await faces_of_images(probes, images, MAX_FACES)
    await probes.gallery.create_subject("default", SubjectToCreate("somebody"))
    new = [
        FaceToEnrol(hashlib.sha256(image.data).hexdigest(), embedding)
        for image, embedding in zip(images, image_faces.embeddings, strict=True)
    ]
    await probes.gallery.enrol("default", "somebody", new, probes.loaded_model)
    collection_faces, enrolled = await faces_of_collection(probes, "default", MAX_FACES)
    assert [face.image_sha256 for face in enrolled] == [face.image_sha256 for face in new]
    assert (await cluster_faces(probes, collection_faces)).labels.tolist() == [0, 1, 0]


async def test_an_empty_collection_gives_no_cluster(probes: ProbeReader) -> None:
    faces, enrolled = await faces_of_collection(probes, "default", MAX_FACES)
    assert enrolled == []
    assert (await cluster_faces(probes, faces)).clusters == ()


async def test_an_unknown_collection_is_refused(probes: ProbeReader) -> None:
    with pytest.raises(CollectionNotFound):
        await faces_of_collection(probes, "nowhere", MAX_FACES)


async def test_more_faces_than_the_limit_are_refused_from_every_source(probes: ProbeReader, obama: bytes) -> None:
    await probes.gallery.create_subject("default", SubjectToCreate("somebody"))
    await probes.gallery.enrol(
        "default",
        "somebody",
        [FaceToEnrol(f"{i:064}", embedding) for i, embedding in enumerate(random_embeddings(3))],
        probes.loaded_model,
    )
    with pytest.raises(InvalidOption, match="There are 3 faces to cluster, and the limit is 2"):
        await faces_of_collection(probes, "default", 2)
    with pytest.raises(InvalidOption, match="3 faces"):
        faces_of_embeddings(probes, random_embeddings(3).tolist(), probes.loaded_model.id, 2)
    with pytest.raises(InvalidOption, match="2 faces"):
        await faces_of_images(probes, [PhotographInput(obama), PhotographInput(obama)], 1)


@pytest.mark.slow
@pytest.mark.lfw
async def test_photographs_of_lfw_are_clustered_by_person(probes: ProbeReader, lfw: Path) -> None:
    """Cluster five photographs of each of at least 30 people. F is over pairs of photographs, as in the paper."""
    people = [person for person in sorted((lfw / "images").iterdir()) if len(list(person.iterdir())) >= 5][::14]
    files = [file for person in people for file in sorted(person.iterdir())[:5]]
    embeddings = [(await probes.pipeline.embed_probe(file.read_bytes(), main_face)).embeddings for file in files]
    clustering = await cluster_faces(probes, to_faces(probes, np.concatenate(embeddings)))
    same_cluster = clustering.labels[:, np.newaxis] == clustering.labels
    same_person = np.equal.outer(*[np.repeat(np.arange(len(people)), 5)] * 2)
    np.fill_diagonal(same_cluster, val=False)
    np.fill_diagonal(same_person, val=False)
    assert len(people) >= 30
    assert 2 * np.sum(same_cluster & same_person) / (np.sum(same_cluster) + np.sum(same_person)) >= 0.97
