"""A thread that works without any request: it removes the remains of deleted content, and notices lost files."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import structlog

from service.domain.errors import StorageLost, StorageUnavailable
from service.gallery.records.database import Database

LOG = structlog.get_logger(__name__)
INTERVAL_S = 1.0
QUIET_S = 5.0
"""The file is rewritten when nothing was deleted for this long, ..."""
MAX_WAIT_S = 60.0
"""... or when the first deletion was so long ago."""
INTERRUPT_S = 0.2
"""How often a rewrite that takes long is told to end, until the thread has ended."""
REST = 20.0
"""After a rewrite, the next one waits this many times as long as it took. So it takes at most 5 % of the time."""


@contextmanager
def housekeeping(database: Database, chores: Sequence[Callable[[], None]] = ()) -> Iterator[None]:
    """Check the files every second, and rewrite the database after deletions.

    At the end, rewrite it a last time if that is quick.

    chores: are called every second too. They may raise StorageUnavailable, and are then called again.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_keep, args=(database, chores, ended), name="housekeeping", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        _join(thread, database)
        if database.erased_at_s is not None:
            if database.is_quick_to_rewrite:
                _rewrite(database)
            else:
                LOG.info("remains_kept", until="the next start")


def _join(thread: threading.Thread, database: Database) -> None:
    """Wait until the thread has ended. A long rewrite is interrupted: systems kill a service that is slow to stop."""
    while thread.is_alive():
        if not database.is_quick_to_rewrite:
            database.interrupt_rewrite()
        thread.join(INTERRUPT_S)


def _keep(database: Database, chores: Sequence[Callable[[], None]], ended: threading.Event) -> None:
    first_s: float | None = None
    rest_until_s = 0.0
    while not ended.wait(INTERVAL_S):
        with suppress(StorageLost):  # it is logged once, and every request says it
            database.check_files()
        for chore in chores:
            _do(chore)
        now_s, erased_at_s = time.monotonic(), database.erased_at_s
        if erased_at_s is None or now_s < rest_until_s:
            continue
        first_s = erased_at_s if first_s is None else first_s
        if now_s - erased_at_s >= QUIET_S or now_s - first_s >= MAX_WAIT_S:
            rest_until_s = time.monotonic() + _rewrite(database) * REST
            first_s = None


def _do(chore: Callable[[], None]) -> None:
    """Do a chore. An error of it must not end the thread, which has others to do."""
    try:
        chore()
    except StorageUnavailable:  # it is logged where a change of a client fails
        pass
    except Exception as error:  # noqa: BLE001  # any error of any chore
        LOG.error("chore_failed", error=type(error).__name__)  # noqa: TRY400  # a trace could hold values


def _rewrite(database: Database) -> float:
    """Rewrite the database, and return how long it took, in seconds. A failure is logged and tried again."""
    started_s = time.monotonic()
    try:
        done = database.rewrite()
    except StorageUnavailable as error:
        LOG.warning("remains_kept", reason=str(error.__cause__))
        return MAX_WAIT_S / REST
    took_s = time.monotonic() - started_s
    if done:
        LOG.info("remains_removed", seconds=round(took_s, 3))
    return took_s
