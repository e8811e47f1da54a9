"""The index of an encrypted collection gets rotated vectors only. So whatever keeps an index holds no known vector."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.domain.embedding import Embeddings
from service.gallery.base import FaceNumbers
from service.gallery.indexes.exact import ExactIndex
from service.gallery.records.encryption.data_keys import data_keys
from service.gallery.records.encryption.encrypt import encrypt
from service.gallery.records.encryption.key_file import read_key_file
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from service.gallery.records.sqlite.database import SqliteDatabase
from tests.service.gallery.encryption.enrolled_people import SUBJECTS, enrol_people
from tests.service.gallery.random_faces import MODEL
from tests.support.blocking_gallery import BlockingGallery

ENROLLED = np.stack([face.embedding for faces in SUBJECTS.values() for face in faces])
ADDED: list[Embeddings] = []


class KeptIndex(ExactIndex):
    """An index that keeps all vectors that it ever got, as a snapshot or a vector database would."""

    def add(self, numbers: FaceNumbers, embeddings: Embeddings) -> None:
        ADDED.append(embeddings)
        super().add(numbers, embeddings)


@contextmanager
def open_with_kept_indexes(folder: Path, key_file: Path | None) -> Iterator[BlockingGallery]:
    keys = data_keys(None if key_file is None else read_key_file(key_file))
    folder.mkdir(exist_ok=True)
    ADDED.clear()
    with closing(SqliteDatabase(folder / DATABASE_FILE, data_keys=keys)) as database:
        database.migrate()
        encrypt(database, keys.key_id)
        yield BlockingGallery.from_database(database, KeptIndex)


def smallest_difference() -> float:
    """Return how near the nearest of the vectors that an index got is to one that was enrolled."""
    added: NDArray[np.float32] = np.concatenate(ADDED)
    return float(np.abs(added[:, None] - ENROLLED[None]).sum(axis=2).min())


def test_no_index_gets_a_vector_that_was_enrolled(tmp_path: Path, key_file: Path) -> None:
    for _ in ("enrolled", "built from the records at the next start"):
        with open_with_kept_indexes(tmp_path / "data", key_file) as gallery:
            enrol_people(gallery)
            assert gallery.collection_model("default") == MODEL  # builds the index
        assert smallest_difference() > 0.1


def test_the_index_of_a_plain_gallery_gets_the_vectors_that_were_enrolled(tmp_path: Path) -> None:
    with open_with_kept_indexes(tmp_path / "data", None) as gallery:
        enrol_people(gallery)
    assert smallest_difference() < 1e-5


def test_each_collection_has_its_own_rotation_and_keeps_it(tmp_path: Path, key_file: Path) -> None:
    with open_with_kept_indexes(tmp_path / "data", key_file) as gallery:
        for collection in ("default", "left"):
            gallery.create_collection(collection)
            gallery.put_subject(collection, "anna", None, {})
            gallery.enrol(collection, "anna", SUBJECTS["employee-000-Zacharias"], MODEL)
        first = list(ADDED)
    with open_with_kept_indexes(tmp_path / "data", key_file) as gallery:
        for collection in ("default", "left"):
            assert gallery.collection_model(collection) == MODEL  # builds the index
        again = list(ADDED)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[0] - first[1]).max() > 0.1
