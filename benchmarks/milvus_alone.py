"""Milvus alone, with the faces that replicas brought there: the time of a search, and how often it finds the nearest.

This is the limit that the service is compared with. HNSW keeps `ef` neighbours in mind: a larger number finds more, and
takes longer. New faces are not in HNSW yet. Milvus puts them there when it has many, or after ten minutes.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import psycopg
from pymilvus import MilvusClient

from service.domain.embedding import Embeddings
from service.gallery.search.milvus.address import MilvusAddress
from service.gallery.search.milvus.search import FACES_TO_SEARCH
from service.gallery.search.milvus.server import EF
from service.gallery.search.milvus.stored_rows import COLLECTION

EFS = (64, 128, 256, 512, EF)
STRONG_PROBES = 50
WAIT_S = 600.0


@dataclass(frozen=True)
class MilvusRow:
    """nearest: the share of the probes whose nearest subject is that of exact search."""

    name: str
    p50_ms: float
    p99_ms: float
    nearest: float


class MilvusAlone:
    """A connection to Milvus, which has the faces of one collection of a gallery. url: of the records."""

    def __init__(self, address: MilvusAddress, url: str) -> None:
        self._client = MilvusClient(address.uri, token=address.token)
        (self._name,) = self._client.list_collections()
        self._url = url
        rows = self._ask("SELECT f.number, s.id, f.collection FROM faces f JOIN subjects s ON s.key = f.subject")
        self._subjects = {number: subject for number, subject, _ in rows}
        self._collection = rows[0][2]

    def wait_for_changes(self) -> None:
        """Wait until Milvus finds all faces without help."""
        self._wait("all changes are applied", lambda: self._ask("SELECT count(*) FROM vector_changes") == [(0,)])

    def build_index(self) -> None:
        """Let Milvus put all faces into HNSW, and wait until it searches there."""
        self._client.flush(self._name)
        (index,) = self._client.list_indexes(self._name)
        self._wait("HNSW is built", lambda: not self._client.describe_index(self._name, index)["pending_index_rows"])
        self._client.refresh_load(self._name)

    def measure(
        self, probes: Embeddings, expected: Sequence[str], when: str, efs: Sequence[int]
    ) -> Iterator[MilvusRow]:
        """Search each probe alone, without waiting (Bounded), with each number of neighbours. Then some as Strong."""
        for ef in efs:
            yield self._measure(probes, expected, f"{when}, ef {ef}", ef, "Bounded")
        few = slice(STRONG_PROBES)
        yield self._measure(probes[few], expected[few], f"{when}, ef {EF}, Strong", EF, "Strong")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _measure(
        self, probes: Embeddings, expected: Sequence[str], name: str, ef: int, consistency: Literal["Bounded", "Strong"]
    ) -> MilvusRow:
        nearest, times_ms = [], []
        for probe in probes:
            began_s = time.perf_counter()
            (found,) = self._client.search(
                self._name,
                data=[probe],
                filter=f"{COLLECTION} == {self._collection}",
                limit=FACES_TO_SEARCH[0],
                search_params={"metric_type": "L2", "params": {"ef": ef}},
                consistency_level=consistency,
            )
            times_ms.append(1_000 * (time.perf_counter() - began_s))
            nearest.append(self._subjects.get(found.ids[0]))
        same = np.array(nearest) == np.array(expected)
        p50_ms, p99_ms = np.percentile(times_ms, [50, 99])
        return MilvusRow(name, float(p50_ms), float(p99_ms), float(same.mean()))

    def _wait(self, what: str, is_done: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + WAIT_S
        while not is_done():
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"it takes more than {WAIT_S:.0f} s until {what}")
            time.sleep(0.5)

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(psycopg.connect(self._url)) as connection:
            return connection.execute(statement).fetchall()
