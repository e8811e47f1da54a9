"""Photographs -> finished shards: cut in threads, many at a time, written one shard after the other."""

import hashlib
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from models.errors import DatasetError
from models.preparation.croppings import Cropping
from models.preparation.folder import Part, Photograph
from models.preparation.records import PARTS, Dropped, Made, Records, is_finished, read_record, write_shard
from models.preparation.shards import SET, Origin
from service.domain import Pixels
from service.embedders.base import Embedder
from service.errors import NoFace, PhotographError

Outcome = Made | Dropped


@dataclass(frozen=True, slots=True)
class Cutter:
    """From a file of `folder` to a canvas and an embedding. Safe to call from several threads at once.

    threads: photographs side by side; decoding, models and OpenCV let go of Python's lock.
    """

    folder: Path
    cropping: Cropping
    embedder: Embedder
    threads: int

    def cut(self, photograph: Photograph) -> Outcome:
        """What cannot be used is said and not raised, but for a file that shows the cropping to be the wrong one.

        Raises DatasetError for that.
        """
        try:
            return self._cut(photograph, (self.folder / photograph.file).read_bytes())
        except NoFace:
            return Dropped(file=photograph.file, reason="no_face", why="no face was found")
        except PhotographError as error:
            return Dropped(file=photograph.file, reason="unreadable", why=str(error))
        except OSError as error:
            return Dropped(file=photograph.file, reason="unreadable", why=error.strerror or str(error))
        except DatasetError as error:
            raise DatasetError(f"{self.folder / photograph.file} {error}") from None

    def _cut(self, photograph: Photograph, data: bytes) -> Made:
        cut = self.cropping.cut(data)
        origin = Origin(
            person=photograph.person,
            source=photograph.source,
            file=photograph.file,
            sha256=hashlib.sha256(data).hexdigest(),
        )
        return Made(origin, cut.stored, _checksum(cut.canvas), self.embedder.embed(cut.crop))


def _checksum(canvas: Pixels) -> str:
    return hashlib.sha256(canvas.tobytes()).hexdigest()


def make_shards(cutter: Cutter, parts: Sequence[Part], out: Path, done: Callable[[], object]) -> Records:
    """Those that are not finished already. `done` is called after each photograph, of finished shards too.

    A canvas with the very pixels of an earlier one, of whatever person, is dropped. Shards of earlier runs that no part
    asks for are removed. Raises OSError or DatasetError.
    """
    finished = {part.name for part in parts if is_finished(out, part)}
    unfinished = [part for part in parts if part.name not in finished]
    _remove_others(out, {part.name for part in parts})
    if unfinished:
        (out / SET).unlink(missing_ok=True)  # it describes the shards as they were
    first: dict[str, str] = {}  # the file that shows these pixels first
    with closing(_cut_ahead(cutter, unfinished)) as batches:
        for part in parts:
            if part.name in finished:
                first.update((face.pixels, face.origin.file) for face in read_record(out, part.name).faces)
                _tell(done, len(part.photographs))
            else:
                write_shard(out, part, *_sort_out(_results(next(batches), done), first))
    return Records(out, [part.name for part in parts])


def _remove_others(out: Path, names: Collection[str]) -> None:
    for file in (*out.glob("faces-*"), *(out / PARTS).glob("faces-*")):
        if file.stem not in names:
            file.unlink()


def _cut_ahead(cutter: Cutter, parts: Iterable[Part]) -> Generator[list[Future[Outcome]]]:
    """The outcomes of each part, while the next one's are in the making: at most two shards are in memory."""
    pool = ThreadPoolExecutor(cutter.threads)
    waiting: deque[list[Future[Outcome]]] = deque()
    try:
        for part in parts:
            waiting.append([pool.submit(cutter.cut, photograph) for photograph in part.photographs])
            if len(waiting) > 1:
                yield waiting.popleft()
        yield from waiting
    finally:
        pool.shutdown(cancel_futures=True)


def _results(futures: Iterable[Future[Outcome]], done: Callable[[], object]) -> Iterator[Outcome]:
    for future in futures:
        yield future.result()
        done()


def _sort_out(outcomes: Iterable[Outcome], first: dict[str, str]) -> tuple[list[Made], list[Dropped]]:
    """first: for each canvas's pixels the file that showed them first; those of the outcomes are added."""
    made, dropped = [], []
    for outcome in outcomes:
        if isinstance(outcome, Dropped):
            dropped.append(outcome)
        elif (original := first.setdefault(outcome.pixels, outcome.origin.file)) != outcome.origin.file:
            dropped.append(Dropped(file=outcome.origin.file, reason="duplicate", why=original))
        else:
            made.append(outcome)
    return made, dropped


def _tell(done: Callable[[], object], times: int) -> None:
    for _ in range(times):
        done()
