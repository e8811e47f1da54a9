"""One size of a gallery: what is measured of it, one step after the other."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import faiss
import numpy as np

from benchmarks import load
from benchmarks.gallery.exact_search import Agreement, ExactAnswers
from benchmarks.gallery.face_shape import FaceShape
from benchmarks.gallery.people import FACES_OF_A_PERSON, EnrolledPeople, draw_probes, identify_body, real_probes
from benchmarks.gallery.served import SEARCHES_AT_ONCE, ServedCollection, resident_mib
from benchmarks.speed.exposition import MetricsSnapshot
from service.domain.embedding import Embeddings
from tests.support.running_service import RunningService, run_service

SMALL_FACES = 1000
"""The collection that the large one is compared with."""

LATENCY_PROBES = 500
ROUNDS = 4
WAITING_CLIENTS = 32
CHANGES = 100
"""How many single faces are enrolled, and how many people are deleted, one after the other."""

MANY_SUBJECTS = 1000
DELETED_SHARE = 0.04
"""This share of the people is deleted at the end. With those before, it is more than a tenth of the oldest segment."""
LAST_PART = 10
"""While the last tenth of the faces is imported, another client searches."""

WRITING_CLIENTS = 16
BARE_FACTORY = "PQ64x4fs,Refine(SQ8)"
BARE_K, BARE_K_FACTOR = 20, 10


@dataclass(frozen=True)
class Latency:
    """Of the answers of one client. small: of the collection of SMALL_FACES faces, in the same rounds."""

    p50_ms: float
    p99_ms: float
    small_p50_ms: float
    small_p99_ms: float


@dataclass(frozen=True)
class Imported:
    """An import in bulk.

    per_s: faces that were enrolled and acknowledged, a second.
    settle_s: how long segments were made after it. agreement: what the service shows.
    importing_p99_ms: of a search while the last part is imported, and segments are made.
    """

    per_s: float
    settle_s: float
    agreement: float
    importing_p99_ms: float


@dataclass(frozen=True)
class Searched:
    """Searches over HTTP.

    waiting_per_s: answers a second while WAITING_CLIENTS wait, and of the small collection.
    real: of probes of LFW, whose people are enrolled too.
    bare_ms: a search by FAISS alone, in one thread. search_ms: the stage `search` of /identify.
    """

    latency: Latency
    waiting_per_s: float
    small_waiting_per_s: float
    bare_ms: float
    search_ms: float
    mated: Agreement
    strangers: Agreement
    real: Agreement


@dataclass(frozen=True)
class Room:
    """Memory and disk after the searches. The import has returned what it freed by then.

    anonymous_bytes: memory that the kernel may not drop, for each face, without that of the empty service.
    anonymous_mib: the same of the whole service. peak_mib: the most, with the parts of files that are in memory.
    """

    anonymous_bytes: float
    anonymous_mib: float
    peak_mib: float
    disk_mib: float


@dataclass(frozen=True)
class Changes:
    """Changes of single faces and people.

    enrol_ms, delete_ms: medians of one client.
    rewriting_p99_ms: of a search after many were deleted, while segments are made again. None if none was made.
    """

    enrol_ms: float
    enrol_per_s: float
    delete_ms: float
    delete_many_s: float
    rewriting_p99_ms: float | None


@dataclass(frozen=True)
class Measured:
    """The figures of one size.

    model: the id of the loaded model. ready_s: until all is searched after the next start. rebuild_peak_mib: its peak.
    """

    model: str
    faces: int
    imported: Imported
    searched: Searched
    room: Room
    changes: Changes
    ready_s: float = 0.0
    rebuild_peak_mib: float = 0.0


@dataclass(frozen=True)
class GalleryBench:
    """What all sizes share.

    models: the folder of the model files. settings: of the service. probes: of mated and of strangers, each.
    step: is called with what is measured next.
    """

    shape: FaceShape
    generator: ProcessPoolExecutor
    models: Path
    folder: Path
    settings: dict[str, str]
    probes: int
    step: Callable[[str], None]

    def measure(self, faces: int) -> Measured:
        """Measure a gallery of this many faces."""
        data = self.folder / f"data-{faces}"
        people = EnrolledPeople.draw(self.shape, faces, seed=1).with_real_people(self.shape)
        with self._service(data) as service:
            measured = self._measure_running(service, people, data)
        self.step(f"{faces} faces: start again")
        body = identify_body(people.faces[0], measured.model)
        start_s = time.perf_counter()
        with self._service(data) as service:
            ServedCollection(service, self.generator, "large", measured.model).wait_until_searchable(body)
            ready_s = time.perf_counter() - start_s
            return replace(measured, ready_s=ready_s, rebuild_peak_mib=load.memory_mib_of(service.process.pid, "VmHWM"))

    @contextmanager
    def _service(self, data: Path) -> Iterator[RunningService]:
        with run_service(data, self.models, FACE_LIMITS__BODY_BYTES=str(2**27), **self.settings) as service:
            yield service
            service.stop()

    def _measure_running(self, service: RunningService, people: EnrolledPeople, data: Path) -> Measured:
        faces, process_id = len(people.faces), service.process.pid
        small, large = (ServedCollection.create(service, self.generator, name) for name in ("small", "large"))
        small.import_lines(EnrolledPeople.draw(self.shape, SMALL_FACES, seed=2).lines(small.model))
        empty_mib = resident_mib(process_id, "Anon")
        mated, strangers = draw_probes(self.shape, people, self.probes, seed=3)
        bodies = [identify_body(probe, large.model) for probe in mated[:LATENCY_PROBES]]
        self.step(f"{faces} faces: import")
        imported = _import(large, people, bodies)
        self.step(f"{faces} faces: search")
        searched = Searched(
            _latency(large, small, bodies),
            _rate(large, bodies),
            _rate(small, bodies),
            _bare_ms(people.faces, mated[:LATENCY_PROBES]),
            _stage_ms(large, bodies),
            *(self._agreement(large, people, probes) for probes in (mated, strangers, real_probes(self.shape))),
        )
        anonymous_mib = resident_mib(process_id, "Anon")
        room = Room(
            (anonymous_mib - empty_mib) * 2**20 / faces,
            anonymous_mib,
            load.memory_mib_of(process_id, "VmHWM"),
            sum(file.stat().st_size for file in data.rglob("*") if file.is_file()) / 2**20,
        )
        self.step(f"{faces} faces: changes")
        return Measured(large.model, faces, imported, searched, room, self._changes(large, people, bodies))

    def _agreement(self, collection: ServedCollection, people: EnrolledPeople, probes: Embeddings) -> Agreement:
        exchange = collection.identify([identify_body(probe, collection.model) for probe in probes], clients=4)
        answers = [json.loads(answer.body) for answer in exchange.answers]
        return ExactAnswers.search(people, probes).compare(answers)

    def _changes(self, collection: ServedCollection, people: EnrolledPeople, bodies: Sequence[bytes]) -> Changes:
        """Enrol single faces by one client and by several, then delete people. At the end, delete many more."""
        new = EnrolledPeople.draw(self.shape, 20 * CHANGES, seed=9)
        lines = [line.replace(b'"p', b'"new-p') for line in new.lines(collection.model)]
        enrol = [collection.request("POST", f"{collection.path}/faces", one, "application/x-ndjson") for one in lines]
        alone = collection.exchange(enrol[:CHANGES], 1)
        together = collection.exchange(enrol[CHANGES:], WRITING_CLIENTS)
        count = CHANGES + min(MANY_SUBJECTS, len(people.centres) // 4)
        delete = [
            collection.request("DELETE", f"{collection.path}/subjects/{people.subject(row * FACES_OF_A_PERSON)}")
            for row in range(count + int(DELETED_SHARE * len(people.centres)))
        ]
        one_by_one = collection.exchange(delete[:CHANGES], 1)
        many = collection.exchange(delete[CHANGES:count], 4)
        collection.exchange(delete[count:], 4)
        rewriting_s = collection.identify_while_it_works(bodies)
        return Changes(
            enrol_ms=_percentile_ms([answer.latency_s for answer in alone.answers], 50),
            enrol_per_s=len(together.answers) / together.wall_s,
            delete_ms=_percentile_ms([answer.latency_s for answer in one_by_one.answers], 50),
            delete_many_s=many.wall_s,
            rewriting_p99_ms=_percentile_ms(rewriting_s, 99) if rewriting_s else None,
        )


def _import(collection: ServedCollection, people: EnrolledPeople, bodies: Sequence[bytes]) -> Imported:
    """Enrol all faces, and search while the last of them are enrolled. Then wait until no segment is made any more."""
    lines = list(people.lines(collection.model))
    last = len(lines) // LAST_PART
    import_s = collection.import_lines(lines[:-last])
    latencies_s: list[float] = []
    with ThreadPoolExecutor(1) as thread:
        importing = thread.submit(collection.import_beside, lines[-last:])
        while not importing.done():
            latencies_s += collection.identify(bodies[:SEARCHES_AT_ONCE], 1).latencies_s
        importing.result()
    start_s = time.perf_counter()
    collection.identify_while_it_works(bodies)
    settle_s = time.perf_counter() - start_s
    per_s = (len(lines) - last) / import_s
    return Imported(per_s, settle_s, collection.wait_for_agreement(), _percentile_ms(latencies_s, 99))


def _latency(large: ServedCollection, small: ServedCollection, bodies: Sequence[bytes]) -> Latency:
    """Search both in turns, so that a machine that becomes slower meanwhile is slower for both."""
    latencies_s: dict[str, list[float]] = {large.name: [], small.name: []}
    for number in range(1 + ROUNDS):
        for collection in (large, small):
            found = collection.identify(bodies, 1).latencies_s
            latencies_s[collection.name] += found if number else []  # the first round warms both
    by_large, by_small = latencies_s.values()
    return Latency(*(_percentile_ms(one, share) for one in (by_large, by_small) for share in (50, 99)))


def _rate(collection: ServedCollection, bodies: Sequence[bytes]) -> float:
    exchange = collection.identify(list(islice(cycle(bodies), 4 * LATENCY_PROBES)), WAITING_CLIENTS)
    return len(exchange.answers) / exchange.wall_s


def _stage_ms(collection: ServedCollection, bodies: Sequence[bytes]) -> float:
    """Return the mean time of the stage `search`, by the metrics of the service."""
    before = MetricsSnapshot.fetch(collection.service.url)
    collection.identify(bodies, 1)
    return 1000 * MetricsSnapshot.fetch(collection.service.url).stages_since(before)["search"] / len(bodies)


def _bare_ms(faces: Embeddings, probes: Embeddings) -> float:
    """Return the median time of a search by FAISS alone, in one thread, of the index of a segment."""
    faiss.omp_set_num_threads(1)
    index = faiss.index_factory(faces.shape[1], BARE_FACTORY, faiss.METRIC_L2)
    index.train(faces[np.random.default_rng(0).choice(len(faces), min(len(faces), 50_000), replace=False)])
    index.add(faces)
    faiss.ParameterSpace().set_index_parameter(index, "k_factor_rf", BARE_K_FACTOR)
    times_s = []
    for probe in probes:
        start_s = time.perf_counter()
        index.search(probe[None], BARE_K)
        times_s.append(time.perf_counter() - start_s)
    return _percentile_ms(times_s, 50)


def _percentile_ms(times_s: Sequence[float], share: float) -> float:
    return float(np.percentile(times_s, share)) * 1000
