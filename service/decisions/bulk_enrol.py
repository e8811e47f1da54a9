"""Enrol faces without photographs, many in one request: embeddings of the loaded model, and the subjects they are of.

They are worked on in blocks. Each block is one transaction, so a large request holds no lock for long.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from service.decisions.inputs import SentFace
from service.decisions.probes import ProbeReader
from service.domain.embedding import check_rows, embedding_sha256, wrong_dimension
from service.domain.errors import Abandoned, FacenetError, IndexBuilding
from service.domain.waiting import require_time
from service.gallery.base import EmbeddingModel, EnrolmentOutcome, FaceOfSubject, FaceToEnrol
from service.observability.metrics import DECISIONS
from service.observability.outcomes import note_decision
from service.observability.stages import stage
from service.pipeline.round_robin import NoThreads, RoundRobinThreads

L = TypeVar("L")

BulkOutcome = EnrolmentOutcome | FacenetError
"""What became of one line: what the gallery did, or the error for which the line was refused."""


@dataclass(frozen=True, slots=True)
class BulkEnrolment(Generic[L]):
    """Enrols the lines of one request in a collection.

    threads: where lines are split, read and checked.
    read: reads one line. Raises the FacenetError of a line that is refused.
    """

    probes: ProbeReader
    threads: RoundRobinThreads | NoThreads
    collection: str
    read: Callable[[L], SentFace]

    async def run(self, blocks: Iterable[Sequence[L]]) -> AsyncGenerator[tuple[Sequence[L], list[BulkOutcome]], None]:
        """Enrol one block after the other. Yield each block when it is durable, and the outcome of each line.

        If the first block cannot be stored, its error is raised, and nothing was stored. If a later block cannot be
        stored, its lines and all that follow are refused with the error. Close the generator, also after an error: then
        what was stored is counted.
        Raises CollectionNotFound, ModelMismatch, StorageUnavailable or Unavailable.
        """
        model = self.probes.loaded_model
        with suppress(IndexBuilding):  # then the records say which model it is, when the first block is stored
            model.require_same(await self.probes.gallery.collection_model(self.collection))
        counts: Counter[str] = Counter()
        failure: FacenetError | None = None
        remaining = iter(blocks)
        try:
            while block := await self.threads.run(_next_block, remaining):
                try:
                    outcomes = await self._enrol(block, model) if failure is None else _refused(block, failure)
                except FacenetError as error:
                    if not counts or isinstance(error, Abandoned):
                        raise
                    failure = error
                    outcomes = _refused(block, error)
                counts.update(_status(outcome) for outcome in outcomes)
                yield block, outcomes
        finally:  # a client that left gets no answer, and what was stored is counted all the same
            self._count(counts)

    async def _enrol(self, block: Sequence[L], model: EmbeddingModel) -> list[BulkOutcome]:
        require_time()
        with stage("read"):
            checked = await self.threads.run(check_block, self.read, block, self.probes)
        require_time()
        new = [face for face in checked if isinstance(face, FaceOfSubject)]
        with stage("store"):
            stored = iter(await self.probes.gallery.enrol_block(self.collection, new, model) if new else [])
        return [next(stored) if isinstance(face, FaceOfSubject) else face for face in checked]

    def _count(self, counts: Counter[str]) -> None:
        for status, count in counts.items():
            DECISIONS.labels("enrol", status).inc(count)
        if counts:
            note_decision(self.probes.card.id, **counts)


def check_block(
    read: Callable[[L], SentFace], block: Sequence[L], probes: ProbeReader
) -> list[FaceOfSubject | FacenetError]:
    """Read the lines of a block, and check all vectors in one NumPy call. A refused line does not stop the others."""
    dimension = probes.loaded_model.dimension
    sent = [_read_or_refuse(read, line, probes) for line in block]
    faces = [face for face in sent if isinstance(face, SentFace)]
    rows = np.array([face.vector for face in faces], np.float64).reshape(-1, dimension)
    embeddings, bad = check_rows(rows)
    checked = iter(bad.get(row) or _face(face, embeddings[row]) for row, face in enumerate(faces))
    return [next(checked) if isinstance(face, SentFace) else face for face in sent]


def _next_block(blocks: Iterator[Sequence[L]]) -> Sequence[L]:
    """Return the next block. At the end, return an empty one."""
    return next(blocks, ())


def _read_or_refuse(read: Callable[[L], SentFace], line: L, probes: ProbeReader) -> SentFace | FacenetError:
    try:
        face = read(line)
        probes.require_loaded_model(face.model)
        if len(face.vector) != probes.card.dimension:
            return wrong_dimension(len(face.vector), probes.card.dimension)
    except FacenetError as error:
        return error.with_traceback(None)  # it would keep what was read of the line
    return face


def _face(face: SentFace, embedding: np.ndarray[tuple[int], np.dtype[np.float32]]) -> FaceOfSubject:
    """Return the face with the digest by which it is known when it is sent again: the sha256 of its embedding."""
    return FaceOfSubject(face.subject, FaceToEnrol(embedding_sha256(embedding), embedding))


def _status(outcome: BulkOutcome) -> str:
    return "refused" if isinstance(outcome, FacenetError) else outcome.status


def _refused(block: Sequence[L], failure: FacenetError) -> list[BulkOutcome]:
    return [failure] * len(block)
