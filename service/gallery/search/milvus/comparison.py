"""Compares Milvus with the records, and repairs Milvus. So it loses nothing by a crash, or by a backup of either."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import structlog

from service.gallery.records import vector_changes
from service.gallery.records.database import Database
from service.gallery.records.statements import collections, indexed_faces
from service.gallery.search.milvus.changes import read_rows
from service.gallery.search.milvus.server import MOST_ROWS, MilvusServer
from service.gallery.search.milvus.stored_rows import Row, mark_of

LOG = structlog.get_logger(__name__)
FACES_AT_ONCE = 10_000
LAST_NUMBER = 2**63 - 1
INSERTED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """The faces of the records with the numbers after `after`, up to `last`.

    faces: of each dimension, by number. waiting: the numbers that Milvus is still to get by their changes.
    """

    after: int
    last: int
    faces: Mapping[int, Mapping[int, Row]]
    waiting: set[int]


class Comparison:
    """Compares all faces, some at a time. Nothing else may change Milvus meanwhile.

    missing, extra: how many faces Milvus did not have as the records do, and how many it had beside them.
    """

    def __init__(self, database: Database, server: MilvusServer) -> None:
        self._database = database
        self._server = server
        self.missing = self.extra = 0

    def steps(self) -> Iterator[None]:
        """Compare a part at each step, and repair it. Raises StorageUnavailable or SearchUnavailable."""
        after = -1
        while after < LAST_NUMBER:
            block = self._read(after)
            for dimension in {*block.faces, *self._server.dimensions}:
                self._compare(dimension, block)
            after = block.last
            yield
        if self.missing or self.extra:
            LOG.warning("search_server_repaired", missing=self.missing, extra=self.extra)

    def _read(self, after: int) -> _Block:
        with self._database.reading() as connection:
            rows = indexed_faces.next_faces(connection, after, FACES_AT_ONCE)
            last = rows[-1][0] if len(rows) == FACES_AT_ONCE else LAST_NUMBER
            waiting = vector_changes.waiting_between(connection, after, last)
            dimensions = collections.dimensions(connection)
        faces: defaultdict[int, dict[int, Row]] = defaultdict(dict)
        for number, collection, face in rows:
            faces[dimensions[collection]][number] = collection, mark_of(face)
        return _Block(after, last, faces, waiting)

    def _compare(self, dimension: int, block: _Block) -> None:
        expected = block.faces.get(dimension, {})
        if not self._server.has(dimension):
            self._insert(expected, expected.keys() - block.waiting)
            return
        found = self._server.rows_between(dimension, block.after, block.last, "Bounded")
        if found == expected:
            return
        while True:  # the differences of the last seconds are none
            found = self._server.rows_between(dimension, block.after, block.last, "Strong")
            wrong = [number for number, row in found.items() if expected.get(number) != row]
            self._server.delete_from(dimension, wrong)
            self.extra += len(wrong)
            if len(found) < MOST_ROWS:
                break
        right = found.keys() - wrong
        self._insert(expected, expected.keys() - right - block.waiting)

    def _insert(self, expected: Mapping[int, Row], missing: set[int]) -> None:
        by_collection: defaultdict[int, list[int]] = defaultdict(list)
        for number in sorted(missing):
            by_collection[expected[number][0]].append(number)
        for collection, numbers in by_collection.items():
            for start in range(0, len(numbers), INSERTED_AT_ONCE):
                rows = read_rows(self._database, collection, numbers[start : start + INSERTED_AT_ONCE])
                if rows is not None:
                    self._server.insert(rows)
                    self.missing += len(rows.numbers)
