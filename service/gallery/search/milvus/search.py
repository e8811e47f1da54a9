"""Search by Milvus. It proposes faces without waiting, so it can miss the last seconds and know deleted faces.

So the faces of these seconds, which are among the changes, are compared too. And the records decide: what they do not
hold is left out, and distances are computed from their vectors.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from threading import Lock

import numpy as np

from service.domain.command_errors import SearchServerUnusable
from service.domain.embedding import Embeddings
from service.domain.errors import SearchUnavailable
from service.gallery.base import EmbeddingModel, References
from service.gallery.records import vector_changes
from service.gallery.records.database import Database
from service.gallery.records.statements import indexed_faces, storage
from service.gallery.records.statements.faces import FaceOwner
from service.gallery.records.stored_faces import StoredCollections
from service.gallery.search.face_search import OpenSearch
from service.gallery.search.milvus.address import MilvusAddress
from service.gallery.search.milvus.ranking import RankedFace, rank
from service.gallery.search.milvus.server import Consistency, MilvusServer, reason
from service.gallery.search.milvus.work import BackgroundWork
from service.gallery.search_values import Candidate, Found, IndexState, SearchQuestion

FACES_TO_SEARCH = (40, 200, 2_000)
"""How many faces Milvus proposes for a probe, as long as they are of too few subjects. If the last number is not
enough, fewer subjects are found than were asked for."""
MOST_NEW = 2_000
"""If more faces are new, the search waits until Milvus has them (Strong), and compares only those that Milvus has not
got. This happens while many faces are enrolled."""
MOST_WAITING = 20_000
"""If Milvus has not got more faces than this, nothing is found until it has."""

START_WAIT_S = 5.0
"""How long the start waits for the first comparison. A small collection is then ready at once."""
FILLING = "The search server is being filled with the stored faces."


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a search begins with.

    key: of the collection. model: None if it has no face.
    new: the numbers of the faces that are compared in any case.
    """

    key: int
    model: EmbeddingModel | None
    new: list[int]
    consistency: Consistency


def by_milvus(address: MilvusAddress) -> OpenSearch:
    """Return what opens the search by a Milvus server. It raises SearchServerUnusable, too."""

    def open_search(database: Database, _writing: Lock) -> MilvusSearch:
        with database.reading() as connection:
            gallery = storage.gallery_id(connection)
        server = MilvusServer(address, gallery)
        try:
            server.use(server.find())
        except SearchUnavailable as error:
            raise SearchServerUnusable(f"Milvus at {address} cannot be used: {reason(error)}.") from None
        return MilvusSearch(database, server)

    return open_search


class MilvusSearch(StoredCollections):
    """Searches with Milvus. Every method raises StorageUnavailable, and `find` SearchUnavailable.

    server: the connection to Milvus, whose collections are known. work: what is done in the background.
    """

    lowest_agreement = math.nan

    def __init__(self, database: Database, server: MilvusServer) -> None:
        super().__init__(database)
        self.server = server
        self.work = BackgroundWork(database, server)
        self.chores: Sequence[Callable[[], None]] = (self.work.begin,)
        self.work.begin()
        self.work.wait(START_WAIT_S)

    @property
    def has_remains(self) -> bool:
        """Whether Milvus is still to delete something."""
        return self.work.changes.has_deletions

    @property
    def is_idle(self) -> bool:
        """Whether nothing is done in the background."""
        return self.work.is_idle

    def find(self, question: SearchQuestion, probes: Embeddings) -> Found:
        """Find the nearest subjects of each probe.

        Raises CollectionNotFound, ModelMismatch, StorageUnavailable or SearchUnavailable.
        """
        plan = self._plan(question)
        if plan.model is None:
            return [[] for _ in probes], 0
        question.model.require_same(plan.model)
        self.check()
        losses = self.work.losses
        for most in FACES_TO_SEARCH:
            proposed = self.server.search(plan.model.dimension, plan.key, probes, most, plan.consistency)
            if losses != self.work.losses:  # Milvus has lost faces, so it may have proposed too few
                raise SearchUnavailable(FILLING)
            found = self._candidates(plan, proposed, probes, question.k)
            if all(len(row) == question.k or len(numbers) < most for row, numbers in zip(found, proposed, strict=True)):
                break
        with self._database.reading_once() as connection:
            return found, self.count_now(connection, plan.key)

    def check(self) -> None:
        """Raise SearchUnavailable if Milvus does not answer, or does not have all faces yet."""
        if not self.work.is_filled:
            raise SearchUnavailable(FILLING)
        if self.server.is_away:
            raise SearchUnavailable

    def state(self, collection: str) -> IndexState | None:  # noqa: ARG002
        """Return None."""
        return None

    def remove_collection(self, collection: str) -> None:
        """Forget a deleted collection."""
        super().remove_collection(collection)
        self.work.begin()

    def add(self, collection: str, new: References) -> None:  # noqa: ARG002
        """Bring new faces to Milvus."""
        self._note_change()

    def remove(self, collection: str, numbers: Sequence[int]) -> None:  # noqa: ARG002
        """Delete faces in Milvus."""
        self._note_change()

    def stop(self) -> None:
        """End what is done in the background. The next start goes on with it."""
        self.work.stop()
        self.server.close()

    def _note_change(self) -> None:
        self.count_again()
        self.work.begin()

    def _plan(self, question: SearchQuestion) -> _Plan:
        with self._database.reading_once() as connection:
            row, new = vector_changes.collection_and_new_faces(connection, question.collection, MOST_NEW + 1)
        if len(new) <= MOST_NEW:
            return _Plan(row.key, row.model, new, "Bounded" if self.work.shows_all else "Strong")
        with self._database.reading_once() as connection:
            waiting = vector_changes.waiting_faces(connection, row.key, MOST_WAITING + 1)
        if len(waiting) > MOST_WAITING:
            raise SearchUnavailable(FILLING)
        return _Plan(row.key, row.model, waiting, "Strong")

    def _candidates(
        self, plan: _Plan, proposed: Sequence[Sequence[int]], probes: Embeddings, k: int
    ) -> list[list[Candidate]]:
        """Return what the records say of the faces. All is read by one statement."""
        numbers = np.array(sorted({*chain.from_iterable(proposed), *plan.new}), np.int64)
        with self._database.reading_once() as connection:
            stored, owners = indexed_faces.read_owned_faces(connection, plan.key, numbers)
        ranked = rank(probes, proposed, plan.new, stored, k)
        return [[_candidate(face, owners[face.number]) for face in row] for row in ranked]


def _candidate(face: RankedFace, owner: FaceOwner) -> Candidate:
    return Candidate(owner.subject, owner.name, face.distance, owner.face)
