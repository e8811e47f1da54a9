"""Make the shards of a face set. Threads prepare the photographs. Shards are written one after the other."""

import hashlib
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from models.errors import DatasetError
from models.preparation.cropping import Cropping
from models.preparation.folder import PhotographFile, ShardPlan
from models.preparation.shard_records import (
    RECORDS_FOLDER,
    DroppedPhotograph,
    PreparedFace,
    ShardRecords,
    is_finished,
    read_record,
    write_shard,
)
from models.preparation.shards import SET_FILE, FaceOrigin
from service.domain.errors import NoFace, PhotographError
from service.domain.image import Pixels
from service.pipeline.embedders.base import Embedder

Outcome = PreparedFace | DroppedPhotograph


@dataclass(frozen=True, slots=True)
class FacePreparer:
    """Makes a canvas and an embedding of a photograph. Safe to call from several threads at once.

    folder: of the photographs.
    threads: how many photographs are prepared at the same time. Decoding, the models and OpenCV release Python's lock.
    """

    folder: Path
    cropping: Cropping
    embedder: Embedder
    threads: int

    def prepare(self, photograph: PhotographFile) -> Outcome:
        """Prepare the face of a photograph. If the photograph cannot be used, return the reason.

        Raises DatasetError only if the wrong way of cropping was chosen for the photographs.
        """
        try:
            return self._prepare(photograph, (self.folder / photograph.file).read_bytes())
        except NoFace:
            return DroppedPhotograph(file=photograph.file, reason="no_face", why="no face was found")
        except PhotographError as error:
            return DroppedPhotograph(file=photograph.file, reason="unreadable", why=str(error))
        except OSError as error:
            return DroppedPhotograph(file=photograph.file, reason="unreadable", why=error.strerror or str(error))
        except DatasetError as error:
            raise DatasetError(f"{self.folder / photograph.file} {error}") from None

    def _prepare(self, photograph: PhotographFile, data: bytes) -> PreparedFace:
        face = self.cropping.cut(data)
        origin = FaceOrigin(
            person=photograph.person,
            source=photograph.source,
            file=photograph.file,
            sha256=hashlib.sha256(data).hexdigest(),
        )
        return PreparedFace(origin, face.image, _sha256(face.canvas), self.embedder.embed(face.crop))


def _sha256(canvas: Pixels) -> str:
    return hashlib.sha256(canvas.tobytes()).hexdigest()


def make_shards(
    preparer: FacePreparer, plans: Sequence[ShardPlan], out: Path, done: Callable[[], object]
) -> ShardRecords:
    """Make every shard that is not finished. Remove shards of earlier runs that are in no plan.

    A canvas with exactly the pixels of an earlier canvas is dropped, even if the two belong to different people.

    done: called after each photograph. The photographs of finished shards count too.
    Raises OSError or DatasetError.
    """
    finished = {plan.name for plan in plans if is_finished(out, plan)}
    unfinished_plans = [plan for plan in plans if plan.name not in finished]
    _remove_other_shards(out, {plan.name for plan in plans})
    if unfinished_plans:
        (out / SET_FILE).unlink(missing_ok=True)  # an old set.json describes the shards of the earlier run
    first_files: dict[str, str] = {}
    with closing(_prepare_ahead(preparer, unfinished_plans)) as batches:
        for plan in plans:
            if plan.name in finished:
                first_files.update((face.pixels, face.origin.file) for face in read_record(out, plan.name).faces)
                _call(done, len(plan.photographs))
            else:
                write_shard(out, plan, *_drop_duplicates(_results(next(batches), done), first_files))
    return ShardRecords(out, [plan.name for plan in plans])


def _remove_other_shards(out: Path, names: Collection[str]) -> None:
    for file in (*out.glob("faces-*"), *(out / RECORDS_FOLDER).glob("faces-*")):
        if file.stem not in names:
            file.unlink()


def _prepare_ahead(preparer: FacePreparer, plans: Iterable[ShardPlan]) -> Generator[list[Future[Outcome]]]:
    """Yield the outcomes of each plan while the next plan is being prepared. At most two shards are in memory."""
    pool = ThreadPoolExecutor(preparer.threads)
    waiting: deque[list[Future[Outcome]]] = deque()
    try:
        for plan in plans:
            waiting.append([pool.submit(preparer.prepare, photograph) for photograph in plan.photographs])
            if len(waiting) > 1:
                yield waiting.popleft()
        yield from waiting
    finally:
        pool.shutdown(cancel_futures=True)


def _results(futures: Iterable[Future[Outcome]], done: Callable[[], object]) -> Iterator[Outcome]:
    for future in futures:
        yield future.result()
        done()


def _drop_duplicates(
    outcomes: Iterable[Outcome], first_files: dict[str, str]
) -> tuple[list[PreparedFace], list[DroppedPhotograph]]:
    """Separate the outcomes into faces and dropped photographs. Faces that are duplicates are dropped.

    first_files: the first file of each canvas, by the sha256 of its pixels. New canvases are added to it.
    """
    faces, dropped = [], []
    for outcome in outcomes:
        if isinstance(outcome, DroppedPhotograph):
            dropped.append(outcome)
        elif (original := first_files.setdefault(outcome.pixels_sha256, outcome.origin.file)) != outcome.origin.file:
            dropped.append(DroppedPhotograph(file=outcome.origin.file, reason="duplicate", why=original))
        else:
            faces.append(outcome)
    return faces, dropped


def _call(done: Callable[[], object], times: int) -> None:
    for _ in range(times):
        done()
