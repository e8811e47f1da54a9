"""What the tests of the search by Milvus look at."""

import time
from collections.abc import Callable

import numpy as np

from service.domain.errors import SearchUnavailable
from service.gallery.base import FaceToEnrol
from service.gallery.records import vector_changes
from service.gallery.search.milvus.search import MilvusSearch
from service.gallery.search.milvus.server import MilvusServer
from service.gallery.search.milvus.stored_rows import Row
from tests.service.gallery.random_faces import MODEL
from tests.support.blocking_gallery import BlockingGallery

WAIT_S = 30.0


def enrol(gallery: BlockingGallery, subject: str, *new: FaceToEnrol, collection: str = "default") -> list[str]:
    gallery.create_collection(collection)
    gallery.put_subject(collection, subject, None, {})
    return [outcome.face for outcome in gallery.enrol(collection, subject, new, MODEL)]


def find_subjects(gallery: BlockingGallery, probe: FaceToEnrol, collection: str = "default") -> list[str]:
    (candidates,), _ = gallery.search(collection, probe.embedding[np.newaxis], 5, MODEL)
    return [candidate.subject for candidate in candidates]


def search_of(gallery: BlockingGallery) -> MilvusSearch:
    search = gallery.gallery.face_search
    assert isinstance(search, MilvusSearch)
    return search


def server_of(gallery: BlockingGallery) -> MilvusServer:
    return search_of(gallery).server


def rows(gallery: BlockingGallery) -> dict[int, Row]:
    """Return what Milvus has of the gallery."""
    server = server_of(gallery)
    server.use(server.find())
    if MODEL.dimension not in server.dimensions:
        return {}
    return server.rows_between(MODEL.dimension, -1, 2**62, "Strong")


def has_waiting(gallery: BlockingGallery) -> bool:
    with gallery.database.reading() as connection:
        return bool(vector_changes.waiting(connection))


def is_ready(gallery: BlockingGallery) -> bool:
    try:
        gallery.check()
    except SearchUnavailable:
        return False
    return True


def wait_until(is_so: Callable[[], bool], within_s: float = WAIT_S) -> None:
    deadline_s = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def apply_changes(gallery: BlockingGallery) -> None:
    """Wait until Milvus has all changes."""
    wait_until(lambda: not has_waiting(gallery))
