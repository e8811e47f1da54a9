"""The memory that a node needs for the service: at rest, with a gallery, and while clients send large photographs.

    python -m benchmarks.sizing [--faces 20000] [--requests 10000] [--megapixels 12 50]

The table has the resident memory of the process of the service, in MiB. `peak` is the largest value since its start.
Each kind of photograph is sent to a service that has just started. The small photographs are those of LFW if they are
there, otherwise those of the demo.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import cv2
import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import load
from benchmarks.speed.photographs import default_folder, read_sets
from service.pipeline.decoding.decode import decode
from tests.support.running_service import RunningService, run_service

ROOT = Path(__file__).parent.parent
CLIENTS = 16
FACES_PER_SUBJECT = 50
"""Faces in one enrolment."""


@dataclass(frozen=True)
class MemoryRow:
    """A row of the table.

    start_s: time until the service was ready, with the gallery that it had at the start.
    """

    situation: str
    start_s: float
    resident_mib: float
    peak_mib: float


def main() -> None:
    """Measure, and print the table."""
    arguments = _parse_arguments()
    rows = [
        *_measure_gallery(arguments.faces),
        _measure_requests(arguments.requests),
        *(_measure_photographs(megapixels, clients) for megapixels in arguments.megapixels for clients in (2, CLIENTS)),
    ]
    table = Table("", "start s", "resident MiB", "peak MiB")
    for row in rows:
        table.add_row(row.situation, f"{row.start_s:.1f}", f"{row.resident_mib:.0f}", f"{row.peak_mib:.0f}")
    Console().print(table)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=20_000, help="in the gallery")
    parser.add_argument("--requests", type=int, default=10_000, help="/verify with small photographs")
    parser.add_argument("--megapixels", type=int, nargs="+", default=[12, 50], help="of the photographs")
    return parser.parse_args()


def _measure_gallery(faces: int) -> Iterator[MemoryRow]:
    """Measure the service at rest, after it has enrolled `faces` faces, and after a start with these faces."""
    with TemporaryDirectory() as folder:
        with _start_service(Path(folder)) as (service, start_s):
            yield _read_memory("at rest", service, start_s)
            _enrol(service.url, faces)
            yield _read_memory(f"{faces:,} faces enrolled", service, start_s)
        with _start_service(Path(folder)) as (service, start_s):
            yield _read_memory(f"started with {faces:,} faces", service, start_s)


def _measure_requests(count: int) -> MemoryRow:
    """Measure the service after this number of /verify with small photographs, from 1, 16 and 64 clients in turns."""
    pairs = read_sets(default_folder(), [])[0].pairs
    with TemporaryDirectory() as folder, _start_service(Path(folder)) as (service, start_s):
        requests = [load.encode_verify_request(service.url, pair) for pair in pairs]
        for clients in (1, 16, 64, 16):
            exchange = load.exchange_repeatedly(service.url, requests, count // 4, clients)
            if exchange.refused:
                raise ValueError(f"{exchange.refused} requests were refused")
        return _read_memory(f"{count:,} /verify with small photographs", service, start_s)


def _measure_photographs(megapixels: int, clients: int) -> MemoryRow:
    """Measure the service while all clients send photographs of this size. A request has two of them."""
    side_px = int((megapixels * 1e6) ** 0.5)
    photograph = decode((ROOT / "var" / "photographs" / "obama" / "obama.jpg").read_bytes(), max_pixels=10**7)
    large = cv2.imencode(".jpg", cv2.resize(photograph.pixels, (side_px, side_px)))[1].tobytes()
    with TemporaryDirectory() as folder, _start_service(Path(folder)) as (service, start_s):
        requests = [load.encode_verify_request(service.url, (large, large))] * (2 * clients)
        load.send_all(service.url, requests, clients)
        return _read_memory(f"{clients} clients, photographs of {megapixels} MP", service, start_s)


@contextmanager
def _start_service(folder: Path) -> Iterator[tuple[RunningService, float]]:
    """Start the service. Yields it, and the seconds until it was ready."""
    start_s = perf_counter()
    patient = {"FACE_LIMITS__REQUEST_TIMEOUT_S": "600"}  # a queue of large photographs takes longer than the default
    with run_service(folder / "data", ROOT / "var" / "models", **patient) as service:
        yield service, perf_counter() - start_s
        service.stop()


def _enrol(url: str, faces: int) -> None:
    """Enrol random unit vectors."""
    rng = np.random.default_rng(0)
    with httpx.Client(base_url=url, timeout=60) as client:
        model = client.get("/model").raise_for_status().json()
        for number in range(faces // FACES_PER_SUBJECT):
            vectors = rng.normal(size=(FACES_PER_SUBJECT, model["dimension"]))
            unit_vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).tolist()
            subject = f"/collections/default/subjects/{number}"
            client.put(subject, json={}).raise_for_status()
            images = [{"embedding": vector, "model": model["id"]} for vector in unit_vectors]
            client.post(f"{subject}/faces", json={"images": images}).raise_for_status()


def _read_memory(situation: str, service: RunningService, start_s: float) -> MemoryRow:
    """Read the memory of the service's process (proc(5): VmRSS is the resident memory, VmHWM its peak)."""
    lines = Path(f"/proc/{service.process.pid}/status").read_text("ascii").splitlines()
    kib = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines) if "kB" in value}
    return MemoryRow(situation, start_s, kib["VmRSS"] / 1024, kib["VmHWM"] / 1024)


if __name__ == "__main__":
    main()
