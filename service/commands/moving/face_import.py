"""Import embeddings from a file of NDJSON into a collection of a running service.

The service knows a face that it has stored, and answers quickly for it. So a run that was interrupted is started again
with the same file.
"""

import codecs
import gzip
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx

from facenet_client.calls import Call, path_of
from facenet_client.operations.gallery import NDJSON, read_results
from facenet_client.schemas import LineResult
from service.commands.connection import Connection
from service.commands.enrolment.report import EnrolmentReport
from service.commands.photographs.left_out import LeftOut
from service.domain.command_errors import FileNotRead, NoFaceLines, RequestRefused

GZIP_START = b"\x1f\x8b"
LINES_PER_REQUEST = 5_000
BYTES_PER_REQUEST = 4 * 2**20
MAX_LINE_BYTES = 2**17
"""The service refuses a longer line. It is not sent: a file without a line break could be larger than the memory."""

REQUESTS_AT_ONCE = 3
"""While the service stores the lines of one request, it reads those of the next, and a third is on its way."""

SPLIT_CODES = frozenset({"body_too_large", "timed_out"})
"""Problems that a smaller request may not have."""

FIRST_LINES = 20
"""If none of so many lines is a JSON object, the file is of another kind."""

UNFINISHED_CODES = frozenset({"ending", "overloaded", "storage_unavailable", "timed_out"})
"""Codes of lines that were not stored because the service stopped in the middle of a request. They are sent again."""

Line = tuple[int, bytes]
"""The number of a line, from 1, and the line."""


@dataclass(slots=True)
class Part:
    """Lines of the file that are sent in one request.

    too_long: the numbers of lines that are not sent.
    position_bytes: how far the file was read.
    """

    lines: list[Line] = field(default_factory=list)
    too_long: list[int] = field(default_factory=list)
    size_bytes: int = 0
    position_bytes: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.lines) >= LINES_PER_REQUEST or self.size_bytes >= BYTES_PER_REQUEST


@dataclass(frozen=True, slots=True)
class FaceImport:
    """Imports a file into one collection.

    collection: is created if it does not exist.
    read_until: is called with the bytes of the file whose lines are done.
    """

    service: Connection
    collection: str
    read_until: Callable[[int], object]

    def run(self, file: Path) -> EnrolmentReport:
        """Send all lines, several requests in parallel.

        Raises FileNotRead. Raises RequestRefused or Unreachable if the problem is not about one line.
        """
        self.service.collection(self.collection).create()
        report = EnrolmentReport(statuses=("enrolled", "known", "refused"))
        threads = ThreadPoolExecutor(REQUESTS_AT_ONCE)
        waiting: deque[tuple[Part, Future[list[LineResult]]]] = deque()
        try:
            for part in read_parts(file):
                waiting.append((part, threads.submit(self._send, part.lines)))
                if len(waiting) > REQUESTS_AT_ONCE:
                    self._finish(file, report, *waiting.popleft())
            while waiting:
                self._finish(file, report, *waiting.popleft())
        finally:
            threads.shutdown(cancel_futures=True)
        return report

    def _finish(self, file: Path, report: EnrolmentReport, part: Part, sent: Future[list[LineResult]]) -> None:
        """Wait for the results of a part, and add them to the report."""
        for result in sent.result():
            if result.status == "refused":
                where = Path(f"{file}:{result.line}")
                report.add(LeftOut(where, "refused", result.code or "", result.detail or "", result.face))
            else:
                report.counts[result.status] += 1
        detail = f"The line has more than {MAX_LINE_BYTES:,} bytes. It was not sent."
        report.add(*(LeftOut(Path(f"{file}:{line}"), "refused", "invalid_line", detail) for line in part.too_long))
        self.read_until(part.position_bytes)

    def _send(self, lines: Sequence[Line]) -> list[LineResult]:
        """Return one result for each line. Lines that the service did not come to are sent again."""
        done: list[LineResult] = []
        while lines:
            results = self._post(lines)
            again = {result.line for result in results if result.code in UNFINISHED_CODES}
            if len(again) == len(lines):
                return done + results
            done += [result for result in results if result.line not in again]
            lines = [line for line in lines if line[0] in again]
        return done

    def _post(self, lines: Sequence[Line]) -> list[LineResult]:
        """Send lines, in two requests if one cannot hold them. The results have the numbers of the file."""
        parts = {"content": b"".join(line for _, line in lines), "headers": NDJSON}
        path = path_of("collections", self.collection, "faces")
        try:
            results = self.service.send(Call("POST", path, partial(_read_results, len(lines)), parts))
        except RequestRefused as error:
            if error.problem_code not in SPLIT_CODES or len(lines) == 1:
                raise
            half = len(lines) // 2
            return self._post(lines[:half]) + self._post(lines[half:])
        return [result.model_copy(update={"line": number}) for result, (number, _) in zip(results, lines, strict=True)]


def _read_results(lines: int, response: httpx.Response) -> tuple[LineResult, ...]:
    """Read the answer. Raises ValueError unless it has a result for each line, in their order."""
    results = read_results(response)
    if [result.line for result in results] != list(range(1, lines + 1)):
        raise ValueError(f"it does not have a result for each of {lines} lines")
    return results


def require_faces(file: Path) -> None:
    """Look at the first lines of a file. Raises NoFaceLines if none of them is a JSON object, and FileNotRead."""
    first = next(read_parts(file)).lines[:FIRST_LINES]
    if first and not any(line.lstrip().startswith(b"{") for _, line in first):
        raise NoFaceLines(file)


def read_parts(file: Path) -> Iterator[Part]:
    """Read the lines of a file, which may be compressed with gzip. Blank lines are left out. Raises FileNotRead."""
    try:
        with file.open("rb") as raw:
            is_gzip = raw.read(len(GZIP_START)) == GZIP_START
            raw.seek(0)
            read_line = gzip.GzipFile(fileobj=raw).readline if is_gzip else raw.readline
            yield from _parts(read_line, raw.tell)
    except (OSError, EOFError, zlib.error) as error:
        raise FileNotRead(file, str(error)) from None


def _parts(read_line: Callable[[int], bytes], tell: Callable[[], int]) -> Iterator[Part]:
    part = Part()
    for number, line in _lines(read_line):
        if line is None:
            part.too_long.append(number)
        elif line.strip():
            part.lines.append((number, line if line.endswith(b"\n") else line + b"\n"))
            part.size_bytes += len(line)
        if part.is_full:
            part.position_bytes = tell()
            yield part
            part = Part()
    part.position_bytes = tell()
    yield part


def _lines(read_line: Callable[[int], bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Yield the number of each line, from 1, and the line. None for a line that is too long."""
    number = 0
    while line := read_line(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)  # some editors write it at the beginning of a file
        if len(line) <= MAX_LINE_BYTES or line.endswith(b"\n"):
            yield number, line
            continue
        while (rest := read_line(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
            pass
        yield number, None
