"""What every gallery must do with a second set of embeddings: the switch, the way back, and the end of both sets."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from service.domain.errors import (
    CollectionNotFound,
    InvalidOption,
    ModelMismatch,
    ReembeddingIncomplete,
    ReembeddingNotFound,
)
from service.gallery.base import EmbeddingModel, FaceToEnrol
from service.gallery.records.schema import CROPS, OTHER_EMBEDDINGS
from tests.contracts.conftest import OpenGallery, with_each_database, with_servers
from tests.service.gallery.random_faces import MODEL, make_crop, make_embeddings, make_face
from tests.support.blocking_gallery import BlockingGallery
from tests.support.second_sets import embed_waiting, other_vector, run

WIDE = EmbeddingModel("c" * 64, 32)
SAME = EmbeddingModel("d" * 64, MODEL.dimension)
FACES = 6


def with_crop(seed: int) -> FaceToEnrol:
    return replace(make_face(seed), crop=make_crop(seed))


def enrol(gallery: BlockingGallery, *seeds: int) -> dict[str, int]:
    """Enrol each face for a subject of its own. Return the seeds by the ids of the faces."""
    gallery.create_collection("friends")
    found = {}
    for seed in seeds:
        gallery.put_subject("friends", f"s{seed}", None, {})
        (outcome,) = gallery.enrol("friends", f"s{seed}", [with_crop(seed)], MODEL)
        found[outcome.face] = seed
    return found


@pytest.fixture
def seeds(gallery: BlockingGallery) -> dict[str, int]:
    """Enrol some faces, and return their seeds."""
    return enrol(gallery, *range(FACES))


def nearest(gallery: BlockingGallery, probe: np.ndarray[Any, np.dtype[np.float32]], model: EmbeddingModel) -> str:
    ((candidate, *_),), searched = gallery.search("friends", probe[None], 3, model)
    assert searched == gallery.count_faces("friends")
    assert candidate.distance < 1e-5
    return str(candidate.subject)


def rows(gallery: BlockingGallery) -> tuple[int, int]:
    """Return how many crops and how many embeddings by another model are stored."""
    with gallery.gallery.database.reading() as connection:
        crops, others = (
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (CROPS, OTHER_EMBEDDINGS)
        )
        return crops, others


@with_each_database
@pytest.mark.parametrize("model", [WIDE, SAME], ids=["other dimension", "same dimension"])
def test_a_switch_uses_the_other_embeddings_and_a_second_one_leads_back(
    gallery: BlockingGallery, seeds: dict[str, int], model: EmbeddingModel
) -> None:
    order = [face.id for face in gallery.references("friends", MODEL)[0]]
    run(gallery, "begin", "friends", model)
    embed_waiting(gallery, seeds, model)
    for to in (model, MODEL, model):
        run(gallery, "switch", "friends", to, delete_missing=False)
        assert gallery.get_collection("friends").model_id == to.id
        enrolled, embeddings = gallery.references("friends", to)
        assert [face.id for face in enrolled] == order
        for face, embedding in zip(enrolled, embeddings, strict=True):
            seed = seeds[face.id]
            expected = make_embeddings(1, seed)[0] if to == MODEL else other_vector(seed, model)
            np.testing.assert_allclose(embedding, expected, atol=1e-6)
            assert nearest(gallery, expected, to) == f"s{seed}"
            assert gallery.get_crop("friends", face.id).picture == make_crop(seed).picture
        with pytest.raises(ModelMismatch):
            gallery.search("friends", make_embeddings(1), 1, MODEL if to == model else model)
        gallery.check()
    assert rows(gallery) == (FACES, FACES)


@with_each_database
def test_the_numbers_of_the_faces_are_new_and_later_ones_are_higher(
    gallery: BlockingGallery, seeds: dict[str, int]
) -> None:
    before = {face.number for face in gallery.references("friends", MODEL)[0]}
    run(gallery, "begin", "friends", WIDE)
    embed_waiting(gallery, seeds, WIDE)
    run(gallery, "switch", "friends", WIDE, delete_missing=False)
    after = {face.number for face in gallery.references("friends", WIDE)[0]}
    assert min(after) > max(before)
    gallery.put_subject("default", "anna", None, {})
    (enrolled,) = gallery.enrol("default", "anna", [make_face(50)], MODEL)
    assert gallery.get_face("default", enrolled.face).number > max(after)


@with_each_database
def test_the_state_says_what_is_done_and_what_is_missing(gallery: BlockingGallery, seeds: dict[str, int]) -> None:
    gallery.enrol("friends", "s0", [make_face(40)], MODEL)
    found = run(gallery, "begin", "friends", WIDE)
    assert (found.faces, found.done, found.waiting, found.without_crop) == (FACES + 1, 0, FACES, 1)
    damaged, *others = run(gallery, "waiting", WIDE.id)["friends"]
    run(gallery, "store", "friends", WIDE.id, {face: other_vector(seeds[face], WIDE) for face in others[:2]})
    run(gallery, "store", "friends", WIDE.id, {damaged: None})
    found = run(gallery, "state", "friends")
    assert (found.done, found.waiting, found.without_crop, found.unusable) == (2, FACES - 3, 1, 1)
    with pytest.raises(ReembeddingIncomplete):
        run(gallery, "switch", "friends", WIDE, delete_missing=True)
    embed_waiting(gallery, seeds, WIDE)
    with pytest.raises(ReembeddingIncomplete):
        run(gallery, "switch", "friends", WIDE, delete_missing=False)
    run(gallery, "switch", "friends", WIDE, delete_missing=True)
    assert gallery.get_collection("friends").faces == gallery.count_faces("friends") == FACES - 1
    gallery.check()


@with_each_database
def test_a_face_that_was_deleted_meanwhile_gets_no_embedding(gallery: BlockingGallery, seeds: dict[str, int]) -> None:
    run(gallery, "begin", "friends", WIDE)
    first, *_ = seeds
    gallery.delete_face("friends", first)
    run(gallery, "store", "friends", WIDE.id, {face: other_vector(seed, WIDE) for face, seed in seeds.items()})
    assert rows(gallery) == (FACES - 1, FACES - 1)
    run(gallery, "end", "friends")
    run(gallery, "store", "friends", WIDE.id, {face: other_vector(seed, WIDE) for face, seed in seeds.items()})
    assert rows(gallery) == (FACES - 1, 0)


@with_each_database
@pytest.mark.parametrize("switched", [False, True])
@pytest.mark.parametrize(
    ("delete", "left"),
    [
        (lambda gallery, face: gallery.delete_face("friends", face), FACES - 1),
        (lambda gallery, _: gallery.delete_subject("friends", "s3"), FACES - 1),
        (lambda gallery, _: gallery.delete_collection("friends"), 0),
    ],
    ids=["face", "subject", "collection"],
)
def test_both_sets_are_deleted_with_a_face(
    gallery: BlockingGallery,
    seeds: dict[str, int],
    delete: Callable[[BlockingGallery, str], None],
    left: int,
    *,
    switched: bool,
) -> None:
    run(gallery, "begin", "friends", WIDE)
    embed_waiting(gallery, seeds, WIDE)
    if switched:
        run(gallery, "switch", "friends", WIDE, delete_missing=False)
    delete(gallery, next(iter(seeds)))
    assert rows(gallery) == (left, left)
    gallery.check()


@with_each_database
def test_what_does_not_fit_is_refused(gallery: BlockingGallery, seeds: dict[str, int]) -> None:
    assert seeds
    for method in ("state", "end"):
        with pytest.raises(ReembeddingNotFound):
            run(gallery, method, "friends")
        with pytest.raises(CollectionNotFound):
            run(gallery, method, "nowhere")
    with pytest.raises(ReembeddingNotFound):
        run(gallery, "switch", "friends", WIDE, delete_missing=False)
    with pytest.raises(InvalidOption):
        run(gallery, "begin", "friends", MODEL)
    run(gallery, "begin", "friends", WIDE)
    assert run(gallery, "begin", "friends", WIDE).waiting == FACES
    with pytest.raises(InvalidOption):
        run(gallery, "begin", "friends", SAME)
    with pytest.raises(ReembeddingNotFound):
        run(gallery, "switch", "friends", SAME, delete_missing=False)
    with pytest.raises(InvalidOption):
        run(gallery, "switch", "default", WIDE, delete_missing=False)
    run(gallery, "switch", "friends", MODEL, delete_missing=False)  # it has this model: nothing changes
    assert gallery.get_collection("friends").model_id == MODEL.id


@with_servers
def test_a_server_that_searches_vectors_is_refused(gallery: BlockingGallery) -> None:
    enrol(gallery, 1)
    with pytest.raises(InvalidOption, match="FACE_GALLERY__INDEX=faiss"):
        run(gallery, "begin", "friends", WIDE)


@with_each_database
def test_both_sets_are_there_after_the_gallery_is_opened_again(open_again: OpenGallery) -> None:
    gallery = open_again()
    seeds = enrol(gallery, *range(FACES))
    run(gallery, "begin", "friends", WIDE)
    embed_waiting(gallery, seeds, WIDE)
    run(gallery, "switch", "friends", WIDE, delete_missing=False)
    gallery.close()
    gallery = open_again()
    gallery.check()
    assert nearest(gallery, other_vector(2, WIDE), WIDE) == "s2"
    run(gallery, "switch", "friends", MODEL, delete_missing=False)
    assert nearest(gallery, make_embeddings(1, 2)[0], MODEL) == "s2"
    gallery.close()
