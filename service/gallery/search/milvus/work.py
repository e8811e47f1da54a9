"""What is done in the background: the changes are applied, and Milvus is compared with the records.

One process of all replicas does this at a time.
"""

import time

import structlog

from service.domain.errors import SearchUnavailable
from service.domain.waiting import require_waiting_client
from service.gallery.records.database import Database
from service.gallery.search.background import Background
from service.gallery.search.milvus.changes import SHOWN_AFTER, ChangesToApply
from service.gallery.search.milvus.comparison import Comparison
from service.gallery.search.milvus.server import MilvusServer, reason

LOG = structlog.get_logger(__name__)
COMPARED_EVERY_S = 600.0


class BackgroundWork:
    """Keeps Milvus as the records are.

    changes: those that Milvus is still to get.
    is_filled: whether Milvus has all faces, except those that are among the changes.
    losses: how often Milvus was found without faces that it had.
    """

    def __init__(self, database: Database, server: MilvusServer) -> None:
        self._database = database
        self._server = server
        self.changes = ChangesToApply(database, server)
        self._background = Background()
        self._compare_at_s = 0.0
        self._cleaned_deletions = 0
        self._shown_at_s = 0.0
        self.is_filled = False
        self.losses = 0

    @property
    def is_idle(self) -> bool:
        return self.is_filled and self._background.is_idle

    @property
    def shows_all(self) -> bool:
        """Whether a search that does not wait (Bounded) finds all faces that were inserted by a comparison."""
        return time.monotonic() >= self._shown_at_s

    def begin(self) -> None:
        """Do what is to be done, if it is not being done already."""
        self._background.begin_if_idle(self.do)

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing is being done. Return whether that is so."""
        return self._background.wait(timeout_s)

    def stop(self) -> None:
        """End the work at its next step. What is not done is done by another replica, or by the next start."""
        self._background.stop()

    def do(self) -> None:
        """Do what is to be done now. Milvus can be away: then it is tried again later. Raises StorageUnavailable."""
        is_due = not self.is_filled or time.monotonic() >= self._compare_at_s
        if not (self.changes.look() or self._server.is_away or is_due):
            self.changes.forget_applied()
            return
        try:
            with self._database.working_alone() as is_alone:
                if is_alone:
                    self._do_alone()
        except SearchUnavailable as error:
            if not self._server.is_away:  # else that is logged already
                LOG.warning("search_server_not_changed", reason=reason(error))

    def _do_alone(self) -> None:
        found = self._server.find()
        if self._server.has_lost(found):
            LOG.warning("search_server_changed")  # its collections are others than before: they may lack faces
            self.is_filled = False
            self.losses += 1  # before they are used: a search in them then notices it
        self._server.use(found)
        self.changes.apply()
        if not self.is_filled or time.monotonic() >= self._compare_at_s:
            self._compare()
        self.changes.forget_applied()

    def _compare(self) -> None:
        began_s = time.monotonic()
        comparison = Comparison(self._database, self._server)
        for _ in comparison.steps():
            self.changes.apply()
            require_waiting_client()
        if self.changes.deleted + comparison.extra > self._cleaned_deletions:
            self._server.remove_remains()
            self._cleaned_deletions = self.changes.deleted
        self._compare_at_s = time.monotonic() + COMPARED_EVERY_S
        if not self.is_filled:
            LOG.info("search_server_filled", seconds=round(time.monotonic() - began_s, 3))
        if comparison.missing:
            self._shown_at_s = time.monotonic() + SHOWN_AFTER.total_seconds()
        self.is_filled = True
