"""What every gallery must do with kept crops: they belong to their faces, and end with them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import func, select

from service.domain.errors import CollectionNotFound, CropNotFound, FaceNotFound
from service.gallery.base import EnrolledBefore, EnrolledForAnother, FaceToEnrol
from service.gallery.records.schema import CROPS
from tests.contracts.conftest import OpenGallery, with_each_database
from tests.service.gallery.random_faces import MODEL, make_crop, make_face
from tests.support.blocking_gallery import BlockingGallery

pytestmark = with_each_database


def with_crop(seed: int) -> FaceToEnrol:
    return replace(make_face(seed), crop=make_crop(seed))


@pytest.fixture
def faces(gallery: BlockingGallery) -> list[str]:
    """Enrol two faces of anna with crops, and one of berta without. Return their ids."""
    gallery.create_collection("friends")
    for subject in ("anna", "berta"):
        gallery.put_subject("friends", subject, None, {})
    first, second = gallery.enrol("friends", "anna", [with_crop(1), with_crop(2)], MODEL)
    (third,) = gallery.enrol("friends", "berta", [make_face(3)], MODEL)
    return [first.face, second.face, third.face]


def stored_crops(gallery: BlockingGallery) -> int:
    with gallery.gallery.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(CROPS)).scalar_one())


def test_a_crop_is_returned_as_it_was_enrolled(gallery: BlockingGallery, faces: list[str]) -> None:
    for face, seed in ((faces[0], 1), (faces[1], 2)):
        found, expected = gallery.get_crop("friends", face), make_crop(seed)
        assert (found.picture, found.reduction, found.box) == (expected.picture, expected.reduction, expected.box)
        np.testing.assert_array_equal(found.landmarks, expected.landmarks)


def test_a_face_says_whether_it_has_a_crop(gallery: BlockingGallery, faces: list[str]) -> None:
    assert [gallery.get_face("friends", face).has_crop for face in faces] == [True, True, False]
    assert [face.has_crop for face in gallery.list_faces("friends", "anna", 10, None).items] == [True, True]
    assert [face.has_crop for face in gallery.references("friends", MODEL)[0]] == [True, True, False]
    assert [face.has_crop for face in gallery.stored_subject("friends", "anna").faces] == [True, True]


def test_a_face_without_a_crop_and_an_unknown_face_are_errors_of_their_own(
    gallery: BlockingGallery, faces: list[str]
) -> None:
    with pytest.raises(CropNotFound):
        gallery.get_crop("friends", faces[2])
    with pytest.raises(FaceNotFound):
        gallery.get_crop("default", faces[0])
    with pytest.raises(CollectionNotFound):
        gallery.get_crop("nowhere", faces[0])


def test_a_known_face_gets_the_crop_that_it_does_not_have_and_keeps_the_one_that_it_has(
    gallery: BlockingGallery, faces: list[str]
) -> None:
    new = [with_crop(3), replace(make_face(3), crop=make_crop(4))]
    assert gallery.enrol("friends", "berta", new, MODEL) == [EnrolledBefore(faces[2])] * 2
    assert gallery.get_face("friends", faces[2]).has_crop
    first = gallery.get_crop("friends", faces[2]).picture
    gallery.enrol("friends", "berta", [replace(make_face(3), crop=make_crop(5))], MODEL)
    assert gallery.get_crop("friends", faces[2]).picture == first


def test_a_face_of_another_subject_gets_no_crop(gallery: BlockingGallery, faces: list[str]) -> None:
    assert gallery.enrol("friends", "anna", [with_crop(3)], MODEL) == [EnrolledForAnother(faces[2])]
    assert not gallery.get_face("friends", faces[2]).has_crop


def test_a_crop_stays_with_a_face_that_is_moved_or_merged(gallery: BlockingGallery, faces: list[str]) -> None:
    assert gallery.move_face("friends", faces[0], "berta").has_crop
    gallery.merge_subjects("friends", "berta", "anna")
    for face, seed in ((faces[0], 1), (faces[1], 2)):
        assert gallery.get_face("friends", face).subject == "berta"
        assert gallery.get_crop("friends", face).picture == make_crop(seed).picture


@pytest.mark.parametrize(
    ("delete", "left"),
    [
        (lambda gallery, faces: gallery.delete_face("friends", faces[0]), 1),
        (lambda gallery, _: gallery.delete_subject("friends", "anna"), 0),
        (lambda gallery, _: gallery.delete_collection("friends"), 0),
        (lambda gallery, _: gallery.delete_crops("friends"), 0),
    ],
    ids=["face", "subject", "collection", "crops"],
)
def test_a_crop_is_deleted_with_what_it_belongs_to(
    gallery: BlockingGallery, faces: list[str], delete: Callable[[BlockingGallery, list[str]], None], left: int
) -> None:
    assert stored_crops(gallery) == 2
    delete(gallery, faces)
    assert stored_crops(gallery) == left


def test_deleted_crops_leave_the_faces_and_those_of_other_collections(
    gallery: BlockingGallery, faces: list[str]
) -> None:
    gallery.put_subject("default", "carla", None, {})
    (other,) = gallery.enrol("default", "carla", [with_crop(1)], MODEL)
    gallery.delete_crops("friends")
    assert [gallery.get_face("friends", face).has_crop for face in faces] == [False] * 3
    assert gallery.get_crop("default", other.face).picture == make_crop(1).picture
    assert gallery.count_faces("friends") == 3
    gallery.enrol("friends", "anna", [with_crop(1)], MODEL)
    assert gallery.get_crop("friends", faces[0]).picture == make_crop(1).picture


def test_crops_are_there_after_the_gallery_is_opened_again(open_again: OpenGallery) -> None:
    gallery = open_again()
    gallery.put_subject("default", "anna", None, {})
    (enrolled,) = gallery.enrol("default", "anna", [with_crop(1)], MODEL)
    gallery.close()
    gallery = open_again()
    assert gallery.get_crop("default", enrolled.face).picture == make_crop(1).picture
    gallery.close()
