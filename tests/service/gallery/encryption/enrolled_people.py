"""People to enrol, and what a thief of the disk would like to find of them."""

import base64
from dataclasses import replace
from pathlib import Path

from service.domain.embedding import check_embedding
from tests.service.gallery.random_faces import MODEL, make_crop, make_faces
from tests.support.blocking_gallery import BlockingGallery

SUBJECTS = {
    f"employee-{number:03}-Zacharias": [replace(face, crop=make_crop(number)) for face in make_faces(2, seed=number)]
    for number in range(12)
}
NAME, METADATA = "Anna Aronsdottir {}", {"department": "Cardiology Ward {}"}


def enrol_people(gallery: BlockingGallery, collection: str = "default") -> None:
    """Enrol all people, and rename one and delete one."""
    gallery.create_collection(collection)
    for subject, faces in SUBJECTS.items():
        metadata = {key: value.format(subject) for key, value in METADATA.items()}
        gallery.put_subject(collection, subject, NAME.format(subject), metadata)
        gallery.enrol(collection, subject, faces, MODEL)
    first, second, *_ = SUBJECTS
    gallery.change_subject(collection, first, {"name": "Berta Aronsdottir"})
    gallery.delete_subject(collection, second)


def plain_secrets() -> list[bytes]:
    """Return every id, name, metadata, hash, vector and crop that is not deleted, as a plain gallery holds it."""
    _, second, *_ = SUBJECTS
    found = [b"Zacharias", b"Aronsdottir", b"Cardiology", b"department"]
    for face in (face for subject, faces in SUBJECTS.items() if subject != second for face in faces):
        found += [face.image_sha256.encode(), check_embedding(face.embedding, MODEL.dimension).tobytes()]
        found += [face.crop.to_bytes()[:64], face.crop.picture[1000:1064]] if face.crop else []
    return found


def all_secrets() -> list[bytes]:
    """Return the same, and that of the deleted subject, in all ways in which a file could hold it, and parts of it."""
    found = plain_secrets()
    for face in (face for faces in SUBJECTS.values() for face in faces):
        sha256 = bytes.fromhex(face.image_sha256)
        found += [face.image_sha256.encode(), face.image_sha256.upper().encode(), sha256, base64.b64encode(sha256)]
        for vector in (face.embedding, check_embedding(face.embedding, MODEL.dimension)[0]):
            parts = [vector[start : start + 4] for start in (0, 4, 8, 12)]
            found += [part.astype(kind).tobytes() for part in parts for kind in ("<f4", "<f8", ">f4")]
    return found


def files_with_secrets(folder: Path) -> list[str]:
    """Return the names of the files of a folder that hold any of these bytes."""
    secrets = all_secrets()
    return [path.name for path in sorted(folder.iterdir()) if any(secret in path.read_bytes() for secret in secrets)]


def check_people(gallery: BlockingGallery, collection: str = "default") -> None:
    """Check that all people are found, with everything that is known of them."""
    first, second, *_ = SUBJECTS
    assert gallery.get_subject(collection, first).name == "Berta Aronsdottir"
    found = gallery.list_subjects(collection, 1000, None).items
    assert {subject.id for subject in found} == SUBJECTS.keys() - {second}
    for subject in found:
        assert subject.metadata == {key: value.format(subject.id) for key, value in METADATA.items()}
        for face in gallery.list_faces(collection, subject.id, 10, None).items:
            expected = SUBJECTS[subject.id][0].crop
            assert expected
            assert gallery.get_crop(collection, face.id).to_bytes() == expected.to_bytes()
        assert {face.image_sha256 for face in gallery.list_faces(collection, subject.id, 10, None).items} == {
            face.image_sha256 for face in SUBJECTS[subject.id]
        }
        for face in SUBJECTS[subject.id]:
            ((nearest, *_),), _ = gallery.search(collection, face.embedding[None], 3, MODEL)
            assert nearest.subject == subject.id
            assert nearest.distance < 1e-5
    gallery.check()
