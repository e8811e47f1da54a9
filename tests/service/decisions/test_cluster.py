import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import numpy as np
import pytest

from service.card import Thresholds
from service.clusterers.base import NOISE
from service.decisions.cluster import Clustering, Faces, Method, cluster, faces_enrolled, faces_given, faces_of
from service.decisions.inputs import Inputs, Upload
from service.distances import squared_l2, unit
from service.domain import Embeddings
from service.errors import CollectionNotFound, InvalidEmbedding, InvalidOption, ModelMismatch, UnreadableImage
from service.galleries.base import NewFace, NewSubject
from service.galleries.gallery import Gallery
from service.pipeline import Pipeline, main_face
from tests.pictures import meadow, side_by_side

pytestmark = pytest.mark.anyio

AGGLOMERATIVE = Method("agglomerative", threshold_sq_l2=1.0, n_clusters=None, together=False)
MANY = 1_000


@pytest.fixture
def inputs(pipeline: Pipeline, tmp_path: Path) -> Iterator[Inputs]:
    """With a gallery of its own."""
    gallery = Gallery.open(tmp_path, "exact")
    yield Inputs(pipeline, gallery, anyio.CapacityLimiter(1))
    gallery.close()


async def grouped(inputs: Inputs, faces: Faces, method: Method = AGGLOMERATIVE) -> Clustering:
    return await cluster(inputs, faces, method, anyio.CapacityLimiter(1))


def with_thresholds(inputs: Inputs, clustering: dict[str, float]) -> Inputs:
    """As if the model's card said so."""
    card = inputs.pipeline.card.model_copy(update={"thresholds": Thresholds(clustering=clustering)})
    return replace(inputs, pipeline=replace(inputs.pipeline, card=card))


def vectors(n: int, seed: int = 0) -> Embeddings:
    return unit(np.random.default_rng(seed).normal(size=(n, 128)).astype(np.float32))


def given(inputs: Inputs, embeddings: Embeddings) -> Faces:
    return faces_given(inputs, embeddings.tolist(), inputs.model.id, MANY)


async def test_photographs_are_grouped_by_person(inputs: Inputs, obama: bytes, biden: bytes, obama2: bytes) -> None:
    faces, probes = await faces_of(inputs, [Upload(one) for one in (obama, meadow(), biden, obama2)], MANY)
    found = await grouped(inputs, faces)
    assert [len(probe.faces) for probe in probes] == [1, 0, 1, 1]
    assert faces.photographs.tolist() == [0, 2, 3]
    assert found.labels.tolist() == [0, 1, 0]
    assert [one.members for one in found.clusters] == [(0, 2), (1,)]


async def test_a_person_is_in_a_photograph_once_unless_they_may_be_together(inputs: Inputs, obama: bytes) -> None:
    faces, _ = await faces_of(inputs, [Upload(side_by_side(obama, obama))], MANY)
    assert (await grouped(inputs, faces)).labels.tolist() == [0, 1]
    assert (await grouped(inputs, faces, replace(AGGLOMERATIVE, together=True))).labels.tolist() == [0, 0]


async def test_a_bad_photograph_is_named_by_its_position(inputs: Inputs, obama: bytes) -> None:
    with pytest.raises(UnreadableImage) as refused:
        await faces_of(inputs, [Upload(obama), Upload(b"no picture")], MANY)
    assert refused.value.where == "images[1]"


async def test_photographs_without_a_face_are_no_cluster(inputs: Inputs) -> None:
    faces, _ = await faces_of(inputs, [Upload(meadow())], MANY)
    found = await grouped(inputs, faces)
    assert faces.embeddings.shape == (0, 128)
    assert found.labels.shape == (0,)
    assert found.clusters == ()


async def test_the_threshold_is_the_model_s_own_for_the_method_where_none_is_given(inputs: Inputs) -> None:
    faces = given(inputs, np.eye(2, 128, dtype=np.float32))  # at a squared distance of 2
    unset = replace(AGGLOMERATIVE, threshold_sq_l2=None)
    near = await grouped(with_thresholds(inputs, {"agglomerative": 2.1, "dbscan": 1.0}), faces, unset)
    far = await grouped(with_thresholds(inputs, {"agglomerative": 1.9, "dbscan": 4.0}), faces, unset)
    assert (near.threshold_sq_l2, near.labels.tolist()) == (2.1, [0, 0])
    assert (far.threshold_sq_l2, far.labels.tolist()) == (1.9, [0, 1])


@pytest.mark.parametrize("name", ["agglomerative", "dbscan"])
async def test_a_method_without_a_threshold_that_needs_one_is_refused(inputs: Inputs, name: str) -> None:
    with pytest.raises(InvalidOption, match="threshold"):
        await grouped(with_thresholds(inputs, {}), given(inputs, vectors(3)), Method(name, None, None, together=False))


async def test_a_number_of_clusters_is_taken_instead_of_the_model_s_threshold(inputs: Inputs) -> None:
    method = replace(AGGLOMERATIVE, threshold_sq_l2=None, n_clusters=2)
    found = await grouped(with_thresholds(inputs, {"agglomerative": 1.0}), given(inputs, vectors(5)), method)
    assert found.threshold_sq_l2 is None
    assert len(found.clusters) == 2


async def test_a_representative_is_nearest_to_the_others_of_its_cluster(inputs: Inputs) -> None:
    rng = np.random.default_rng(1)
    faces = given(
        inputs, unit((np.eye(3, 128)[np.arange(60) % 3] + 0.03 * rng.normal(size=(60, 128))).astype(np.float32))
    )
    found = await grouped(inputs, faces)
    assert [len(one.members) for one in found.clusters] == [20, 20, 20]
    for one in found.clusters:
        own = faces.embeddings[list(one.members)]
        assert one.representative == one.members[int(squared_l2(own, own).mean(axis=1).argmin())]


async def test_noise_is_in_no_cluster(inputs: Inputs) -> None:
    faces = given(inputs, np.eye(2, 128, dtype=np.float32)[[0, 1, 0]])
    found = await grouped(inputs, faces, Method("dbscan", 1.0, None, together=False))
    assert found.labels.tolist() == [0, NOISE, 0]
    assert [one.members for one in found.clusters] == [(0, 2)]


async def test_given_embeddings_are_each_from_a_photograph_of_their_own(inputs: Inputs) -> None:
    faces = given(inputs, vectors(4))
    np.testing.assert_allclose(faces.embeddings, vectors(4), atol=1e-6)
    assert faces.photographs.tolist() == [0, 1, 2, 3]


async def test_given_embeddings_of_another_model_are_refused(inputs: Inputs) -> None:
    with pytest.raises(ModelMismatch):
        faces_given(inputs, vectors(2).tolist(), "0" * 64, MANY)


async def test_a_bad_embedding_is_named_by_its_position(inputs: Inputs) -> None:
    with pytest.raises(InvalidEmbedding) as refused:
        given(inputs, vectors(3) * np.array([[1], [1], [0.5]], np.float32))
    assert refused.value.where == "embeddings[2]"


async def test_the_faces_of_a_collection_are_grouped(inputs: Inputs, obama: bytes, biden: bytes, obama2: bytes) -> None:
    seen = [Upload(one) for one in (obama, biden, obama2)]
    shown, _ = await faces_of(inputs, seen, MANY)
    inputs.gallery.create_subject("default", NewSubject("somebody"))
    new = [NewFace(hashlib.sha256(one.data).hexdigest(), row) for one, row in zip(seen, shown.embeddings, strict=True)]
    inputs.gallery.enrol("default", "somebody", new, inputs.model)
    faces, enrolled = await faces_enrolled(inputs, "default", MANY)
    assert [face.image_sha256 for face in enrolled] == [face.image_sha256 for face in new]
    assert (await grouped(inputs, faces)).labels.tolist() == [0, 1, 0]


async def test_an_empty_collection_has_nothing_to_group(inputs: Inputs) -> None:
    faces, enrolled = await faces_enrolled(inputs, "default", MANY)
    assert enrolled == []
    assert (await grouped(inputs, faces)).clusters == ()


async def test_a_collection_that_is_not_there_is_refused(inputs: Inputs) -> None:
    with pytest.raises(CollectionNotFound):
        await faces_enrolled(inputs, "nowhere", MANY)


async def test_more_faces_than_the_limit_are_refused_from_wherever_they_come(inputs: Inputs, obama: bytes) -> None:
    inputs.gallery.create_subject("default", NewSubject("somebody"))
    inputs.gallery.enrol(
        "default", "somebody", [NewFace(f"{i:064}", row) for i, row in enumerate(vectors(3))], inputs.model
    )
    with pytest.raises(InvalidOption, match="3 faces are to be grouped, and the limit is 2"):
        await faces_enrolled(inputs, "default", 2)
    with pytest.raises(InvalidOption, match="3 faces"):
        faces_given(inputs, vectors(3).tolist(), inputs.model.id, 2)
    with pytest.raises(InvalidOption, match="2 faces"):
        await faces_of(inputs, [Upload(obama), Upload(obama)], 1)


@pytest.mark.lfw
async def test_photographs_of_labelled_faces_in_the_wild_are_grouped_by_person(inputs: Inputs, lfw: Path) -> None:
    """A slice of it: 30 people with at least five photographs, five each; pairwise F as in the paper's terms."""
    people = [one for one in sorted((lfw / "images").iterdir()) if len(list(one.iterdir())) >= 5][::14]
    files = [file for person in people for file in sorted(person.iterdir())[:5]]
    shown = [(await inputs.pipeline.probe(file.read_bytes(), main_face)).embeddings for file in files]
    found = await grouped(inputs, given(inputs, np.concatenate(shown)))
    together = found.labels[:, np.newaxis] == found.labels
    same = np.equal.outer(*[np.repeat(np.arange(len(people)), 5)] * 2)
    np.fill_diagonal(together, val=False)
    np.fill_diagonal(same, val=False)
    assert len(people) >= 30
    assert 2 * np.sum(together & same) / (np.sum(together) + np.sum(same)) >= 0.97
