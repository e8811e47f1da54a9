"""Checks that no line of an audit log was changed, removed, inserted or reordered. It only reads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from service.access.audit.files import SUFFIX, log_files, read_lines
from service.access.audit.line import NO_LINE, Head, Line
from service.access.audit.secret import AuditSecret
from service.access.audit.writer import DAMAGED_SUFFIX


class ChainBroken(Exception):
    """A line is not what was written. The message says which, and what happened to it."""


@dataclass(slots=True)
class Chain:
    """What is known of the lines that were checked.

    first: the number of the first line that is still kept.
    pruned_through: the last line that was deleted because of its age. 0 if none was.
    missing: the line that the database had noted, but that the log did not have at a start. None if it had it.
    """

    head: Head
    first: int = 0
    pruned_through: int = 0
    missing: str | None = None


class Verification:
    """Reads a log once, from its first line to its last.

    heads: lines that must be in the log, because they were noted elsewhere.
    advance: is called with the bytes of each line.
    """

    def __init__(self, secret: AuditSecret, heads: list[Head], advance: Callable[[int], object]) -> None:
        self._secret = secret
        self._heads = {head.sequence: head for head in heads}
        self._advance = advance

    def run(self, folder: Path) -> Chain:
        """Return what the log holds. Raises ChainBroken at the first line that is wrong. Raises OSError."""
        files = log_files(folder)
        damaged = sorted(path.name for path in folder.iterdir() if path.suffix == DAMAGED_SUFFIX)
        if not files:
            raise ChainBroken("There is no file of lines.")
        chain = Chain(Head(0, NO_LINE))
        for file in files:
            for number, raw in enumerate(self._raw_lines(file, is_last=file == files[-1]), 1):
                self._check(chain, raw, f"line {number} of {file.name}")
        if damaged:
            raise ChainBroken(f"{damaged[0]} has no line that can be read: its lines were overwritten.")
        if chain.missing:
            raise ChainBroken(f"At a start, the end of the log was missing: the database had noted {chain.missing}.")
        self._check_ends(chain)
        return chain

    def _raw_lines(self, file: Path, *, is_last: bool) -> Iterator[bytes]:
        """Yield the lines. The last line of the last file may be incomplete: it is being written."""
        size_bytes = 0
        for raw in read_lines(file):
            size_bytes += len(raw) + 1
            self._advance(len(raw) + 1)
            yield raw
        if not is_last and file.stat().st_size != size_bytes:
            raise ChainBroken(f"The last line of {file.name} is cut off.")

    def _check(self, chain: Chain, raw: bytes, place: str) -> None:
        try:
            line = Line.parse(raw)
            fields = line.fields
            stated = bytes.fromhex(fields.get("previous", ""))
        except ValueError:
            raise ChainBroken(f"{place.capitalize()} was changed: it is no line of the log.") from None
        starts = chain.first == 0
        if starts:
            chain.first = line.head.sequence
        previous = stated if starts else chain.head.hash
        _check_number(chain.head.sequence + 1 if not starts else line.head.sequence, line.head.sequence, place)
        if not line.is_linked(self._secret, previous):
            raise ChainBroken(f"{place.capitalize()} (number {line.head.sequence}) was changed.")
        noted = self._heads.get(line.head.sequence)
        if noted is not None and noted != line.head:
            raise ChainBroken(f"Line number {noted.sequence} is another one than the line that was noted elsewhere.")
        chain.head = line.head
        chain.pruned_through = max(chain.pruned_through, fields.get("through", 0))
        chain.missing = chain.missing or fields.get("missing")

    def _check_ends(self, chain: Chain) -> None:
        if chain.first > chain.pruned_through + 1:
            raise ChainBroken(f"The lines {chain.pruned_through + 1} to {chain.first - 1} were removed from the start.")
        last_noted = max(self._heads, default=0)
        if chain.head.sequence < last_noted:
            raise ChainBroken(
                f"The end was cut off: line {last_noted} was noted, and the last is {chain.head.sequence}."
            )


def _check_number(expected: int, found: int, place: str) -> None:
    if found > expected:
        last = "" if found == expected + 1 else f" to {found - 1}"
        raise ChainBroken(f"Line number {expected}{last} was removed or moved, before {place} (number {found}).")
    if found < expected:
        raise ChainBroken(
            f"{place.capitalize()} (number {found}) was inserted or moved: line number {expected} is expected."
        )


def size_bytes(folder: Path) -> int:
    """Return how many bytes a verification reads. Raises OSError."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.suffix == SUFFIX)
