"""A gallery, plain and encrypted, whose index has segments."""

import math
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from service.access.secret_file import write_encryption_key
from service.domain.distances import squared_l2
from service.gallery.indexes.base import CreateIndex, ReadVectors
from service.gallery.indexes.segments import segmented
from service.gallery.indexes.segments.segmented import SegmentedIndex
from service.gallery.records.encryption.data_keys import data_keys
from service.gallery.records.encryption.encrypt import encrypt
from service.gallery.records.encryption.key_file import read_key_file
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from service.gallery.records.sqlite.database import SqliteDatabase
from service.gallery.search_values import IndexState
from tests.service.gallery.random_faces import MODEL, make_embeddings, make_faces
from tests.support.blocking_gallery import BlockingGallery

FACES, PROBES = make_faces(400), make_embeddings(5, seed=3)
CREATE = partial(SegmentedIndex, exact_faces=60, segment_faces=150)


def open_gallery(
    folder: Path, key_file: Path | None, resources: ExitStack, create_index: CreateIndex = CREATE
) -> BlockingGallery:
    keys = data_keys(None if key_file is None else read_key_file(key_file))
    folder.mkdir(exist_ok=True)
    database = resources.enter_context(closing(SqliteDatabase(folder / DATABASE_FILE, data_keys=keys)))
    database.migrate()
    encrypt(database, keys.key_id)
    gallery = BlockingGallery.from_database(database, create_index)
    resources.callback(gallery.indexes.stop)
    return gallery


def require_found(gallery: BlockingGallery, people: dict[str, list[int]]) -> None:
    """A search finds the nearest face of each of the nearest people. people: the positions of their faces."""
    rows, searched = gallery.search("default", PROBES, 4, MODEL)
    assert searched == sum(map(len, people.values()))
    distances = squared_l2(PROBES, np.stack([face.embedding for face in FACES]))
    for row, of_faces in zip(rows, distances, strict=True):
        nearest = {name: float(of_faces[faces].min()) for name, faces in people.items() if faces}
        expected = sorted(nearest, key=nearest.__getitem__)[:4]
        assert [candidate.subject for candidate in row] == expected
        np.testing.assert_allclose(
            [candidate.distance for candidate in row], [nearest[name] for name in expected], atol=1e-6
        )


@pytest.mark.parametrize("kind", ["plain", "encrypted"])
def test_searches_find_what_the_records_hold_after_every_change_and_after_a_start(tmp_path: Path, kind: str) -> None:
    key_file = tmp_path / "key" if kind == "encrypted" else None
    if key_file:
        write_encryption_key(key_file)
    people: dict[str, list[int]] = {}
    with ExitStack() as resources:
        gallery = open_gallery(tmp_path / "data", key_file, resources)
        for person in range(40):
            name, faces = f"p{person}", list(range(10 * person, 10 * person + 10))
            gallery.put_subject("default", name, None, {})
            gallery.enrol("default", name, [FACES[face] for face in faces], MODEL)
            people[name] = faces
            require_found(gallery, people)
        gallery.merge_subjects("default", "p0", "p1")
        people["p0"] += people.pop("p1")
        require_found(gallery, people)
        for person in range(2, 12):
            gallery.delete_subject("default", f"p{person}")
            del people[f"p{person}"]
            require_found(gallery, people)
        gallery.check()
    with ExitStack() as resources:
        gallery = open_gallery(tmp_path / "data", key_file, resources)
        require_found(gallery, people)
        gallery.check()
        for person in range(12, 40):
            gallery.delete_subject("default", f"p{person}")
            del people[f"p{person}"]
        require_found(gallery, people)
        gallery.check()


def test_a_few_new_faces_are_compressed_after_a_while_without_another_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    created: list[SegmentedIndex] = []

    def create(dimension: int, read: ReadVectors) -> SegmentedIndex:
        created.append(CREATE(dimension, read))
        return created[-1]

    with ExitStack() as resources:
        gallery = open_gallery(tmp_path / "data", None, resources, create)
        gallery.put_subject("default", "anna", None, {})
        for faces in (FACES[:100], FACES[100:110]):
            gallery.enrol("default", "anna", faces, MODEL)
            assert gallery.indexes.background.wait(60)
        assert created[-1].segment_sizes == [100]
        monkeypatch.setattr(segmented, "REST_S", 0.0)
        gallery.indexes.rewrite()
        assert gallery.indexes.background.wait(60)
        assert created[-1].segment_sizes == [100, 10]
        require_found(gallery, {"anna": list(range(110))})


@pytest.mark.parametrize("kind", ["plain", "encrypted"])
def test_the_agreement_of_a_large_index_with_exact_search_is_shown(tmp_path: Path, kind: str) -> None:
    key_file = tmp_path / "key" if kind == "encrypted" else None
    if key_file:
        write_encryption_key(key_file)
    with ExitStack() as resources:
        gallery = open_gallery(tmp_path / "data", key_file, resources)
        indexes = gallery.indexes
        assert (indexes.state("default"), indexes.state("nowhere"), indexes.lowest_agreement) == (None, None, 1.0)
        gallery.put_subject("default", "anna", None, {})
        gallery.enrol("default", "anna", FACES[:50], MODEL)
        assert indexes.state("default") == IndexState(is_exact=True, agreement=None)
        assert indexes.lowest_agreement == 1.0
        gallery.enrol("default", "anna", FACES[50:], MODEL)
        assert indexes.background.wait(60)
        assert indexes.state("default") == IndexState(is_exact=False, agreement=None)
        assert math.isnan(indexes.lowest_agreement)
        indexes.measure_agreement()
        assert indexes.checks.wait(60)
        state = indexes.state("default")
        assert state is not None
        assert state.agreement is not None
        assert state.agreement.faces == len(FACES)
        assert 0.99 <= state.agreement.share == indexes.lowest_agreement <= 1.0
        gallery.delete_collection("default")
        assert indexes.lowest_agreement == 1.0
