"""Many small collections in one service: how long their creation takes, what they cost, and the first search of each.

    python -m benchmarks.small_collections [--collections 10000] [--faces 20]

The embeddings are random unit vectors, one subject has two faces. The index of a collection is made when it is searched
first. After ten minutes without a search, it is dropped: the last row waits for this.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import load
from benchmarks.gallery.people import EnrolledPeople, identify_body
from benchmarks.gallery.served import ServedCollection, resident_mib
from service.domain.embedding import Embeddings
from service.gallery.search.in_memory.collection_indexes import IDLE_S
from service.gallery.search.in_memory.search import IDLE_INDEXES_S
from tests.support.running_service import RunningService, run_service

FACES_OF_A_SUBJECT = 2
CLIENTS = 16
SEARCHED = 500
"""How many collections are searched by one client, for the latency."""


def main() -> None:
    """Measure, and print each row when it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collections", type=int, default=10_000)
    parser.add_argument("--faces", type=int, default=20)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    arguments = parser.parse_args()
    console, table = Console(), Table("row", "result", title=f"{arguments.collections} collections")
    with tempfile.TemporaryDirectory() as folder, load.generator_process() as generator:
        bench = SmallCollections(
            Path(folder), arguments.models.resolve(), generator, arguments.collections, arguments.faces
        )
        for row, result in bench.rows():
            console.log(row, result)
            table.add_row(row, result)
    console.print(table)


@dataclass(frozen=True, slots=True)
class SmallCollections:
    """Collections c0, c1, ... of one service. All hold the same faces.

    data: the data directory. models: the folder of the model files.
    """

    data: Path
    models: Path
    generator: ProcessPoolExecutor
    count: int
    faces: int

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the result of each measurement."""
        with self._service() as (service, any_one):
            yield "empty service, MiB", f"{resident_mib(service.process.pid, 'Anon'):.0f}"
            yield "create all and enrol, collections a second", f"{self._fill(any_one):.0f}"
        start_s = time.perf_counter()
        with self._service() as (service, any_one):
            yield "start again until ready, s", f"{time.perf_counter() - start_s:.1f}"
            yield "memory after the start, MiB", f"{resident_mib(service.process.pid, 'Anon'):.0f}"
            some = range(0, self.count, max(1, self.count // SEARCHED))
            yield "first search of a collection: p50, p99, ms", self._searched(any_one, some)
            yield "another search: p50, p99, ms", self._searched(any_one, some)
            yield "the same collection each time: p50, p99, ms", self._searched(any_one, [0] * SEARCHED)
            self._search_all(any_one)
            yield "memory after all were searched, MiB", f"{resident_mib(service.process.pid, 'Anon'):.0f}"
            time.sleep(IDLE_S + 2 * IDLE_INDEXES_S)
            yield "memory after a while without a search, MiB", f"{resident_mib(service.process.pid, 'Anon'):.0f}"

    @contextmanager
    def _service(self) -> Iterator[tuple[RunningService, ServedCollection]]:
        """Yield the service, and a collection that builds the requests."""
        with run_service(self.data, self.models) as service:
            model = httpx.get(f"{service.url}/model").json()["id"]
            yield service, ServedCollection(service, self.generator, "default", model)
            service.stop()

    def _fill(self, any_one: ServedCollection) -> float:
        """Create and fill all collections. Return how many a second."""
        people = EnrolledPeople(self._faces[::FACES_OF_A_SUBJECT], self._faces, np.empty(0, np.int64))
        body = b"".join(people.lines(any_one.model))
        paths = [f"/collections/c{number}" for number in range(self.count)]
        created = any_one.exchange([any_one.request("PUT", path, b"{}") for path in paths], CLIENTS)
        lines = [any_one.request("POST", f"{path}/faces", body, "application/x-ndjson") for path in paths]
        return self.count / (created.wall_s + any_one.exchange(lines, CLIENTS).wall_s)

    @property
    def _faces(self) -> Embeddings:
        drawn = np.random.default_rng(0).standard_normal((self.faces, 128)).astype(np.float32)
        return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)

    def _searched(self, any_one: ServedCollection, numbers: Sequence[int]) -> str:
        latencies_ms = 1000 * np.array(self._exchange(any_one, numbers, clients=1).latencies_s)
        return f"{np.median(latencies_ms):.1f}, {np.percentile(latencies_ms, 99):.1f}"

    def _search_all(self, any_one: ServedCollection) -> None:
        self._exchange(any_one, range(self.count), CLIENTS)

    def _exchange(self, any_one: ServedCollection, numbers: Sequence[int], clients: int) -> load.Exchange:
        body = identify_body(self._faces[0], any_one.model)
        paths = [f"/identify?collection=c{number}" for number in numbers]
        return any_one.exchange([any_one.request("POST", path, body) for path in paths], clients)


if __name__ == "__main__":
    main()
