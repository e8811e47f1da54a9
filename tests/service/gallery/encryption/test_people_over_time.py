"""An encrypted gallery with an audit log: the export of a subject, merges and moves, and faces that expire."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from service.access.audit.files import FOLDER, Keeping
from service.access.audit.gallery_log import GalleryAuditLog
from service.access.audit.log import AuditLog
from service.access.audit.search import LineFilter, find_lines
from service.access.audit.verification import Verification
from service.domain.access import NO_ACCESS, work_with
from service.domain.errors import StorageUnavailable
from service.gallery.gallery import Gallery
from service.gallery.indexes.exact import ExactIndex
from service.gallery.opening import open_gallery
from service.gallery.records.encryption.data_keys import data_keys
from service.gallery.records.encryption.encrypt import encrypt
from service.gallery.records.encryption.key_file import read_key_file
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from service.gallery.records.sqlite.database import SqliteDatabase
from service.gallery.records.sqlite.reading_beside import read_audit_facts
from service.gallery.search.in_memory.search import in_memory
from tests.service.gallery.encryption.enrolled_people import (
    NAME,
    SUBJECTS,
    check_people,
    enrol_people,
    files_with_secrets,
)
from tests.support.blocking_gallery import BlockingGallery

FIRST, DELETED, THIRD, FOURTH, *_ = SUBJECTS


def audit_log(data_dir: Path) -> AuditLog:
    return AuditLog(data_dir / FOLDER, data_dir / FOLDER / "secret", Keeping(365, 2**30))


@pytest.fixture
def log(data_dir: Path) -> AuditLog:
    return audit_log(data_dir)


class Clock:
    ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gallery(data_dir: Path, key_file: Path, log: AuditLog, clock: Clock) -> Iterator[BlockingGallery]:
    """Return an encrypted gallery with an audit log, without its thread. So nothing expires by itself."""
    data_dir.mkdir()
    keys = data_keys(read_key_file(key_file))
    with closing(SqliteDatabase(data_dir / DATABASE_FILE, data_keys=keys)) as database:
        database.migrate()
        encrypt(database, keys.key_id)
        gallery = BlockingGallery(Gallery(database, in_memory(ExactIndex), GalleryAuditLog(log), clock))
        enrol_people(gallery)
        yield gallery


def hashes(gallery: BlockingGallery, subject: str) -> set[str]:
    return {face.image_sha256 for face in gallery.stored_subject("default", subject).faces}


def expire_everything(gallery: BlockingGallery, log: AuditLog, clock: Clock) -> None:
    """Let all people expire. When the log is closed, all its lines are written."""
    with log.open(None):
        gallery.change_collection("default", {"expires_after_days": 30})
        clock.ahead = timedelta(days=31)
        gallery.gallery.expire_all()


def test_an_export_has_all_that_is_stored_about_a_subject(gallery: BlockingGallery) -> None:
    stored = gallery.stored_subject("default", THIRD)
    assert (stored.subject.id, stored.subject.name) == (THIRD, NAME.format(THIRD))
    assert [(face.subject, face.image_sha256) for face in stored.faces] == [
        (THIRD, face.image_sha256) for face in SUBJECTS[THIRD]
    ]
    assert stored.embeddings is not None
    np.testing.assert_allclose(stored.embeddings, [face.embedding for face in SUBJECTS[THIRD]], rtol=0, atol=1e-6)


def test_faces_of_a_merged_subject_and_a_moved_face_are_readable_at_their_new_subject(
    gallery: BlockingGallery,
) -> None:
    expected = hashes(gallery, THIRD) | hashes(gallery, FOURTH)
    assert gallery.merge_subjects("default", THIRD, FOURTH)[1] == 2
    assert hashes(gallery, THIRD) == expected
    face = gallery.stored_subject("default", THIRD).faces[0]
    assert gallery.move_face("default", face.id, FIRST).subject == FIRST
    assert hashes(gallery, THIRD) == expected - {face.image_sha256}
    gallery.check()


def test_expired_faces_and_subjects_are_deleted_and_the_log_names_their_pseudonyms(
    gallery: BlockingGallery, data_dir: Path, log: AuditLog, clock: Clock
) -> None:
    expire_everything(gallery, log, clock)
    assert gallery.list_subjects("default", 10, None).items == []
    gallery.check()
    lines = [line for line in find_lines(data_dir / FOLDER, LineFilter()) if line["event"] == "expired"]
    people = SUBJECTS.keys() - {DELETED}
    expected = sorted(log.secret.pseudonym("default", subject) for subject in people)
    assert [line["counts"] for line in lines] == [
        {"faces": 2 * len(people), "subjects": 0},
        {"faces": 0, "subjects": len(people)},
    ]
    assert [sorted(line["subjects"]) for line in lines] == [expected, expected]


def test_the_audit_log_of_an_encrypted_gallery_holds_no_id_name_hash_or_vector(
    gallery: BlockingGallery, data_dir: Path, log: AuditLog, clock: Clock
) -> None:
    expire_everything(gallery, log, clock)
    assert sum(1 for _ in find_lines(data_dir / FOLDER, LineFilter())) > 1
    assert files_with_secrets(data_dir / FOLDER) == []


def test_the_last_line_of_the_log_is_known_to_the_encrypted_records(data_dir: Path, key_file: Path) -> None:
    for _ in range(2):
        log = audit_log(data_dir)
        with open_gallery(data_dir, "exact", GalleryAuditLog(log), key_file) as gallery:
            enrol_people(BlockingGallery(gallery))
            BlockingGallery(gallery).delete_collection("default")
    facts = read_audit_facts(data_dir / DATABASE_FILE)
    assert facts is not None
    assert facts.noted_head == (log.head.sequence, log.head.hash)
    Verification(log.secret, [log.head], lambda _: None).run(data_dir / FOLDER)


def test_an_index_is_built_again_for_a_request_that_sees_no_collection(gallery: BlockingGallery) -> None:
    (face,) = gallery.stored_subject("default", THIRD).faces[:1]
    gallery.indexes["default"].remove([face.number])  # an index that lost a face
    with work_with(NO_ACCESS), pytest.raises(StorageUnavailable):
        gallery.check()
    check_people(gallery)
