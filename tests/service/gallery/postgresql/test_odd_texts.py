"""PostgreSQL stores any text that SQLite does, and lists it in the same order."""

from pathlib import Path

import pytest

from service.domain.errors import SubjectExists
from service.gallery.base import SubjectChanges, SubjectToCreate
from tests.service.gallery.postgresql.conftest import OpenReplica, Replica
from tests.service.gallery.random_faces import MODEL, make_embeddings, make_face
from tests.support.blocking_gallery import BlockingGallery

ODD = [
    "\0",
    "a\0b",
    "\x1a",
    "\x1an",
    "\x1ae\x1a",
    "%s :name {} \\ ' \" -- /* $$ ?",
    "\u202egnirts",
    "e\u0301",
    "\u00e9",
    "\U0001f9d1\u200d\U0001f91d\u200d\U0001f9d1",
    "x" * 10_000,
    "NaN",
    "\\N",
    "\t\r\n",
    "\ufeff",
    "\U0010ffff",
]
IDS = ["b", "B", "a", "A", "_", "-", ".", "10", "9", "a.b", "a-b", "aB", "ab", "Z", "z9", "~"]


@pytest.fixture
def pair(open_replica: OpenReplica) -> tuple[Replica, Replica]:
    return open_replica(), open_replica()


def test_odd_names_and_metadata_are_read_as_they_were_written(pair: tuple[Replica, Replica]) -> None:
    first, second = pair
    for number, text in enumerate(ODD):
        metadata = {"text": text, text: [text, None, 1e300, -0.0]}
        first.put_subject("default", f"s{number}", text, metadata)
        first.enrol("default", f"s{number}", [make_face(number)], MODEL)
        stored = second.get_subject("default", f"s{number}")
        assert (stored.name, stored.metadata) == (text, metadata)
        second.change_subject("default", f"s{number}", SubjectChanges(name=text * 2))
    found = first.search("default", make_embeddings(1), 100, MODEL)[0][0]
    names = {candidate.subject: candidate.name for candidate in found}
    assert names == {f"s{number}": text * 2 for number, text in enumerate(ODD)}


def test_odd_ids_name_one_subject_each(pair: tuple[Replica, Replica]) -> None:
    """The routes refuse most of them. The records keep them apart."""
    first, second = pair
    ids = [text for text in ODD if len(text) < 1000]
    for subject in ids:
        first.create_subject("default", SubjectToCreate(subject))
        with pytest.raises(SubjectExists):
            second.create_subject("default", SubjectToCreate(subject))
    assert {subject.id for subject in second.list_subjects("default", 100, None).items} == set(ids)
    for subject in ids:
        second.delete_subject("default", subject)
    assert first.list_subjects("default", 100, None).items == []


def test_lists_have_the_order_of_sqlite(tmp_path: Path, pair: tuple[Replica, Replica]) -> None:
    file = BlockingGallery.open(tmp_path / "file", "exact")
    for subject in IDS:
        for gallery in (file, pair[0]):
            gallery.put_subject("default", subject, None, {})
            gallery.create_collection(subject)
    for method in ("list_collections", "list_subjects"):
        arguments = ["default"] if method == "list_subjects" else []
        expected = [one.id for one in getattr(file, method)(*arguments, 100, None).items]
        listed, cursor = [], None
        while True:
            page = getattr(pair[1], method)(*arguments, 3, cursor)
            listed += [one.id for one in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert listed == expected
    file.close()
