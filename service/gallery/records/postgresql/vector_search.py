"""Search by the database itself (pgvector). It keeps nothing in memory, so any number of replicas can search."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Row, TextualSelect, text

from service.domain.embedding import Embeddings
from service.gallery.base import References
from service.gallery.records.database import Database
from service.gallery.records.encryption.ciphers import PLAIN
from service.gallery.records.postgresql.connections import CANDIDATES
from service.gallery.records.postgresql.vector_index import INDEX_FACES
from service.gallery.records.postgresql.vectors import TABLE
from service.gallery.records.schema import SUBJECTS
from service.gallery.records.statements import collections
from service.gallery.records.stored_faces import StoredCollections
from service.gallery.search_values import Candidate, Found, IndexState, SearchQuestion

FACES_TO_SEARCH = (40, 200, 2_000)
"""How many of the nearest faces are read for a probe, as long as they are of too few subjects. If the last number is
not enough, fewer subjects are found than were asked for."""
_GO_ON = text("SET LOCAL hnsw.iterative_scan = strict_order")
"""Otherwise an index finds CANDIDATES faces at most, without those that were just deleted."""


class VectorSearch(StoredCollections):
    """Searches the table of vectors. Every method reads the records as they are now."""

    def __init__(self, database: Database, _writing: Lock) -> None:
        super().__init__(database)
        self.chores: Sequence[Callable[[], None]] = ()

    has_remains = False
    is_idle = True
    lowest_agreement = math.nan

    def find(self, question: SearchQuestion, probes: Embeddings) -> Found:
        """Find the nearest subjects of each probe. Raises CollectionNotFound, ModelMismatch or StorageUnavailable."""
        with self._database.reading() as connection:
            row = collections.find(connection, question.collection)
            if row.model is None:
                return [[] for _ in probes], 0
            question.model.require_same(row.model)
            searched = self.count_now(connection, row.key)
            # An index orders by 16-bit numbers. Without one, to make them takes a fifth of the time of a search.
            order = "halfvec" if searched >= INDEX_FACES else "vector"
            for faces in FACES_TO_SEARCH:
                if faces > CANDIDATES:
                    connection.execute(_GO_ON)
                statement = _statement(row.key, probes.shape[1], faces, order)
                found = _find(connection, statement, probes, question.k)
                if searched <= faces or all(len(candidates) == question.k for candidates in found):
                    break
            return found, searched

    def state(self, collection: str) -> IndexState | None:  # noqa: ARG002
        """Return None."""
        return None

    def check(self) -> None:
        """Do nothing: whether the database can be read is checked with the records."""

    def add(self, collection: str, new: References) -> None:  # noqa: ARG002
        """Count the faces again. Their vectors were stored with them."""
        self.count_again()

    def remove(self, collection: str, numbers: Sequence[int]) -> None:  # noqa: ARG002
        """Count the faces again. Their vectors were deleted with them."""
        self.count_again()

    def stop(self) -> None:
        """Do nothing: no work is done in the background."""


def _find(connection: Connection, statement: TextualSelect, probes: Embeddings, k: int) -> list[list[Candidate]]:
    """Return at most k subjects for each probe, among those of its nearest faces."""
    vectors = "{" + ",".join(f'"{probe.tolist()}"' for probe in probes) + "}"
    rows = connection.execute(statement, {"probes": vectors})
    found: list[list[Candidate]] = [[] for _ in probes]
    for place, nearest in groupby(rows, key=lambda row: row.place):
        found[place - 1] = list(_nearest_of_subjects(nearest, k))
    return found


def _statement(key: int, dimension: int, faces: int, order: str) -> TextualSelect:
    """Return the search for the nearest faces of each probe, in the order of their distances. `<->` is not squared.

    key: of the collection. order: the type of the numbers that are compared to find the nearest: `vector` with 32 bits,
    or `halfvec` with 16, as in an index. The distances are always those of the stored vectors.
    All are in the text and not parameters. So the planner knows which index fits.
    """
    stored, ordered = f"vector({dimension})", f"{order}({dimension})"
    return text(f"""
        SELECT probe.place, CAST(nearest.embedding AS {stored}) <-> CAST(probe.vector AS {stored}) AS distance,
            face.id AS face, subject.key, subject.id AS subject, subject.name
        FROM unnest(CAST(:probes AS vector[])) WITH ORDINALITY AS probe (vector, place)
        CROSS JOIN LATERAL (
            SELECT number, embedding FROM {TABLE} WHERE collection = {key}
            ORDER BY CAST(embedding AS {ordered}) <-> CAST(probe.vector AS {ordered}) LIMIT {faces}
        ) AS nearest
        JOIN faces AS face ON face.number = nearest.number
        JOIN subjects AS subject ON subject.key = face.subject
        ORDER BY probe.place, distance, nearest.number
    """).columns(subject=SUBJECTS.c.id.type, name=SUBJECTS.c.name.type)  # noqa: S608  # whole numbers, and names of types


def _nearest_of_subjects(rows: Iterable[Row[Any]], k: int) -> Iterator[Candidate]:
    """Return the first, so the nearest, face of each subject, at most k."""
    seen: set[int] = set()
    for row in rows:
        if len(seen) == k:
            return
        if row.key not in seen:
            seen.add(row.key)
            name = PLAIN.read_value("subjects.name", row.subject, row.name)
            yield Candidate(row.subject, name, row.distance**2, row.face)
