"""Two replicas on one PostgreSQL: is an answer ever stale, how fast is a search, does it agree with exact search.

    python -m benchmarks.replicas LFW/images [--indexes faiss pgvector] [--faces 100000] [--probes 500]
    MILVUS_SERVER=DIR python -m benchmarks.replicas LFW/images --indexes milvus

PostgreSQL runs on this machine, and waits for the disk at each commit. The vectors are shaped like faces
(`gallery/face_shape.py`). For each index: import; searches of one client, compared with exact search; single faces that
are enrolled and deleted through one replica, and looked for at once through the other; and the rate of 16 clients with
one replica and with two. With `milvus`, Milvus is measured alone too, with the same faces and probes.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import load
from benchmarks.gallery.exact_search import Agreement, ExactAnswers
from benchmarks.gallery.face_shape import FaceShape, measured_shape
from benchmarks.gallery.people import EnrolledPeople, draw_probes, identify_body
from benchmarks.gallery.served import ServedCollection, resident_mib
from benchmarks.milvus_alone import EFS, MilvusAlone, MilvusRow
from models.commands.options import PipelineChoice
from service.domain.embedding import Embeddings
from service.gallery.indexes import MILVUS, PGVECTOR
from service.gallery.search.milvus.server import EF
from tests.support.milvus_server import MilvusServerProcess, running_milvus
from tests.support.postgres_server import PostgresServer, running_postgres
from tests.support.running_service import RunningService, run_service

ROOT = Path(__file__).parents[1]
COLLECTION = "large"
CHANGES = 200
CLIENTS = 16
SECONDS_FOR_AN_INDEX = 900


@dataclass(frozen=True)
class Row:
    """The figures of one index. stale: answers of the other replica that did not have the change."""

    index: str
    faces: int
    imported_per_s: float
    index_s: float
    p50_ms: float
    p99_ms: float
    mated: float
    strangers: float
    decisions: float
    distances: float
    stale: int
    changes: int
    one_per_s: float
    two_per_s: float
    replica_mib: float


@dataclass(frozen=True)
class ReplicasBench:
    """What all indexes share. probes: of mated and of strangers, each."""

    shape: FaceShape
    generators: tuple[ProcessPoolExecutor, ProcessPoolExecutor]
    models: Path
    faces: int
    probes: int
    milvus: MilvusServerProcess | None

    def measure(self, server: PostgresServer, index: str, folder: Path) -> Row:
        """Measure two replicas with this index on an empty database."""
        url = server.create_database()
        people = EnrolledPeople.draw(self.shape, self.faces, seed=1)
        with self._replica(folder / "a", url, index) as first, self._replica(folder / "b", url, index) as second:
            here = ServedCollection.create(first, self.generators[0], COLLECTION)
            there = ServedCollection(second, self.generators[1], COLLECTION, here.model)
            imported_s = here.import_lines(people.lines(here.model))
            mated, strangers = draw_probes(self.shape, people, self.probes, seed=3)
            index_s = _wait_for_index([first, second]) if index == PGVECTOR else 0.0
            if index == MILVUS:
                index_s = self._measure_milvus(url, people, np.concatenate([mated, strangers]))
            there.wait_until_searchable(identify_body(mated[0], here.model))
            found = [self._search(there, people, probes) for probes in (mated, strangers)]
            latencies_s = np.array(found[0][1] + found[1][1])
            stale = _stale_answers(here, there, self.shape)
            bodies = [identify_body(probe, here.model) for probe in mated] * 2
            one_per_s, two_per_s = _rate([here], bodies), _rate([here, there], bodies)
            return Row(
                index=index,
                faces=self.faces,
                imported_per_s=self.faces / imported_s,
                index_s=index_s,
                p50_ms=float(np.percentile(latencies_s, 50)) * 1000,
                p99_ms=float(np.percentile(latencies_s, 99)) * 1000,
                mated=found[0][0].subjects,
                strangers=found[1][0].subjects,
                decisions=min(agreement.decisions for agreement, _ in found),
                distances=min(agreement.distances for agreement, _ in found),
                stale=stale,
                changes=2 * CHANGES,
                one_per_s=one_per_s,
                two_per_s=two_per_s,
                replica_mib=resident_mib(second.process.pid, "Anon"),
            )

    @contextmanager
    def _replica(self, folder: Path, url: str, index: str) -> Iterator[RunningService]:
        folder.mkdir(parents=True)
        settings = {"FACE_GALLERY__URL": url, "FACE_GALLERY__INDEX": index, "FACE_LIMITS__BODY_BYTES": str(2**27)}
        if index == MILVUS and self.milvus:
            settings |= self.milvus.settings()
        with run_service(folder / "data", self.models, **settings) as service:
            yield service
            service.stop()

    def _measure_milvus(self, url: str, people: EnrolledPeople, probes: Embeddings) -> float:
        """Measure Milvus alone, before and after it has built HNSW, and return how long it takes to build it."""
        assert self.milvus is not None  # noqa: S101  # main has started it
        expected = [people.subject(int(row)) for row in ExactAnswers.search(people, probes).rows]
        with closing(MilvusAlone(self.milvus.address, url)) as alone:
            alone.wait_for_changes()
            rows = list(alone.measure(probes, expected, "before HNSW", [EF]))
            start_s = time.perf_counter()
            alone.build_index()
            index_s = time.perf_counter() - start_s
            rows += alone.measure(probes, expected, "HNSW", EFS)
        Console(width=160).print(_milvus_table(rows, len(people.faces)))
        return index_s

    def _search(
        self, collection: ServedCollection, people: EnrolledPeople, probes: Embeddings
    ) -> tuple[Agreement, list[float]]:
        bodies = [identify_body(probe, collection.model) for probe in probes]
        exchange = collection.identify(bodies, clients=1)
        answers = [json.loads(answer.body) for answer in exchange.answers]
        return ExactAnswers.search(people, probes).compare(answers), exchange.latencies_s


def _wait_for_index(replicas: Sequence[RunningService]) -> float:
    """Wait until one of the replicas has built the index of the database, and return how long that took."""
    start_s = time.perf_counter()
    while not any("vector_index_built" in line for replica in replicas for line in replica.log_lines):
        if time.perf_counter() - start_s > SECONDS_FOR_AN_INDEX:
            raise TimeoutError("no index was built")
        time.sleep(0.5)
    return time.perf_counter() - start_s


def _stale_answers(here: ServedCollection, there: ServedCollection, shape: FaceShape) -> int:
    """Enrol and delete faces through one replica, and look for each at once through the other."""
    new = EnrolledPeople.draw(shape, 10 * CHANGES, seed=9)
    stale = 0
    with httpx.Client(timeout=60) as client:
        for row, line in enumerate(new.lines(here.model)):
            if row % 10:
                continue
            subject, probe = new.subject(row), identify_body(new.faces[row], here.model)
            enrolled = line.replace(b'"subject": "p', b'"subject": "new-p')
            headers = {"content-type": "application/x-ndjson"}
            client.post(f"{here.service.url}{here.path}/faces", content=enrolled, headers=headers).raise_for_status()
            stale += _nearest(client, there, probe) != f"new-{subject}"
            client.delete(f"{here.service.url}{here.path}/subjects/new-{subject}").raise_for_status()
            stale += _nearest(client, there, probe) == f"new-{subject}"
    return stale


def _nearest(client: httpx.Client, collection: ServedCollection, body: bytes) -> str:
    url = f"{collection.service.url}/identify?collection={collection.name}"
    answer = client.post(url, content=body, headers={"content-type": "application/json"}).raise_for_status().json()
    return str(answer["faces"][0]["candidates"][0]["subject"])


def _rate(collections: Sequence[ServedCollection], bodies: Sequence[bytes]) -> float:
    """Return the answers a second of CLIENTS clients, shared by these replicas."""
    start_s = time.perf_counter()
    sent: list[Future[load.Exchange]] = []
    for place, one in enumerate(collections):
        requests = [one.request("POST", f"/identify?collection={one.name}", body) for body in bodies]
        part = requests[place :: len(collections)]
        sent.append(one.generator.submit(load.exchange_all, one.service.url, part, CLIENTS // len(collections)))
    answers = [answer for future in sent for answer in future.result().answers]
    if any(answer.status != 200 for answer in answers):
        raise ValueError("a search was refused")
    return len(answers) / (time.perf_counter() - start_s)


def _table(rows: Sequence[Row]) -> Table:
    table = Table("", *(row.index for row in rows), title=f"two replicas, {rows[0].faces:,} faces")
    table.add_row("imported faces a second", *(f"{row.imported_per_s:.0f}" for row in rows))
    table.add_row("s until the index of the server is built", *(f"{row.index_s:.0f}" for row in rows))
    table.add_row(
        "/identify p50, p99, ms (asked 8; milvus 15)", *(f"{row.p50_ms:.1f}, {row.p99_ms:.1f}" for row in rows)
    )
    table.add_row(
        "subject as exact search, mated; strangers (asked 99.5 %)",
        *(f"{row.mated:.2%}; {row.strangers:.2%}" for row in rows),
    )
    table.add_row("subject and decision, the lower", *(f"{row.decisions:.2%}" for row in rows))
    table.add_row("distance within 1e-6", *(f"{row.distances:.2%}" for row in rows))
    table.add_row("stale answers of the other replica", *(f"{row.stale} of {row.changes}" for row in rows))
    table.add_row(
        f"/identify a second, {CLIENTS} clients: one replica; two",
        *(f"{row.one_per_s:.0f}; {row.two_per_s:.0f}" for row in rows),
    )
    table.add_row("MiB of a replica", *(f"{row.replica_mib:.0f}" for row in rows))
    return table


def _milvus_table(rows: Sequence[MilvusRow], faces: int) -> Table:
    table = Table("Milvus alone", "p50, p99, ms", "nearest subject as exact search", title=f"{faces:,} faces")
    for row in rows:
        table.add_row(row.name, f"{row.p50_ms:.1f}, {row.p99_ms:.1f}", f"{row.nearest:.2%}")
    return table


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, help="LFW/images: a folder for each person")
    parser.add_argument("--indexes", nargs="*", default=["faiss", "pgvector"], help="FACE_GALLERY__INDEX of each run")
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--probes", type=int, default=500, help="mated ones, and as many of strangers")
    arguments = parser.parse_args()
    options = PipelineChoice("sface").pipeline_options()
    cache = ROOT / "var" / "bench" / "embeddings_of_lfw.npz"
    shape = measured_shape(cache, arguments.photographs, options)
    rows: list[Row] = []
    with ExitStack() as resources:
        folder = Path(resources.enter_context(TemporaryDirectory()))
        server = resources.enter_context(running_postgres(fsync="on"))
        generators = (
            resources.enter_context(load.generator_process()),
            resources.enter_context(load.generator_process()),
        )
        models = options.embedder.path.parent.resolve()
        milvus = resources.enter_context(running_milvus()) if MILVUS in arguments.indexes else None
        bench = ReplicasBench(shape, generators, models, arguments.faces, arguments.probes, milvus)
        for index in arguments.indexes:
            rows.append(bench.measure(server, index, folder / index))
            Console(width=160).print(_table(rows))


if __name__ == "__main__":
    main()
