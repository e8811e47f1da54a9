"""What a node must hold: the service's memory at rest, with a gallery, and while large photographs come at once.

    python -m benchmarks.sizing [--faces 20000] [--megapixels 12 50]

Resident memory of the service's process, in MiB; `peak` is the most since it started. The photographs come to a service
that has just started.
"""

import argparse
import itertools
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
from service.images import decode
from tests.served import Served, serve

ROOT = Path(__file__).parent.parent
CLIENTS = 16
AT_ONCE = 50
"""Faces in one enrolment."""


@dataclass(frozen=True)
class Line:
    """One row. start_s: until it was ready, with the gallery that it found."""

    what: str
    start_s: float
    now_mib: float
    peak_mib: float


def main() -> None:
    """Prints the table."""
    arguments = _arguments()
    lines = [*_galleries(arguments.faces), *(_photographs(one) for one in arguments.megapixels)]
    table = Table("", "start s", "resident MiB", "peak MiB")
    for line in lines:
        table.add_row(line.what, f"{line.start_s:.1f}", f"{line.now_mib:.0f}", f"{line.peak_mib:.0f}")
    Console().print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=20_000, help="in the gallery")
    parser.add_argument("--megapixels", type=int, nargs="+", default=[12, 50])
    return parser.parse_args()


def _galleries(faces: int) -> Iterator[Line]:
    """At rest, after the enrolment of so many faces, and as it starts with them."""
    with TemporaryDirectory() as folder:
        with _served(Path(folder)) as (service, start_s):
            yield _line("at rest", service, start_s)
            _enrol(service.url, faces)
            yield _line(f"{faces:,} faces enrolled", service, start_s)
        with _served(Path(folder)) as (service, start_s):
            yield _line(f"started with {faces:,} faces", service, start_s)


def _photographs(megapixels: int) -> Line:
    """Clients that send photographs of so many pixels, all at once, two in a request."""
    side = int((megapixels * 1e6) ** 0.5)
    photograph = decode((ROOT / "var" / "photographs" / "obama" / "obama.jpg").read_bytes(), max_pixels=10**7)
    large = cv2.imencode(".jpg", cv2.resize(photograph.pixels, (side, side)))[1].tobytes()
    with TemporaryDirectory() as folder, _served(Path(folder)) as (service, start_s):
        load.run(service.url, [load.encode_verify(service.url, (large, large))] * (2 * CLIENTS), CLIENTS)
        return _line(f"{CLIENTS} clients, photographs of {megapixels} MP", service, start_s)


@contextmanager
def _served(folder: Path) -> Iterator[tuple[Served, float]]:
    start_s = perf_counter()
    with serve(folder / "data", ROOT / "var" / "models") as service:
        yield service, perf_counter() - start_s
        service.stop()


def _enrol(url: str, faces: int) -> None:
    """Random unit vectors, fifty a subject."""
    rng = np.random.default_rng(0)
    with httpx.Client(base_url=url, timeout=60) as client:
        model = client.get("/model").raise_for_status().json()
        for number in itertools.islice(itertools.count(), faces // AT_ONCE):
            vectors = rng.normal(size=(AT_ONCE, model["dimension"]))
            unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).tolist()
            subject = f"/collections/default/subjects/{number}"
            client.put(subject, json={}).raise_for_status()
            images = [{"embedding": vector, "model": model["id"]} for vector in unit]
            client.post(f"{subject}/faces", json={"images": images}).raise_for_status()


def _line(what: str, service: Served, start_s: float) -> Line:
    status = Path(f"/proc/{service.process.pid}/status").read_text("ascii").splitlines()
    kib = {name: int(value.split()[0]) for name, _, value in (one.partition(":") for one in status) if "kB" in value}
    return Line(what, start_s, kib["VmRSS"] / 1024, kib["VmHWM"] / 1024)


if __name__ == "__main__":
    main()
