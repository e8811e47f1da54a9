"""How long a refusal takes, by what is wrong with the request, in one run.

    python -m benchmarks.refusals [--requests 2000]

A client must not learn from the time whether a key exists, or what another tenant has stored. In each round, a request
of each kind is sent, in a random order, so all kinds see the same load of the machine. A second series of the first
kind shows the noise.
"""

import argparse
import http.client
import random
import statistics
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import httpx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.support.running_service import RunningService, run_service

ROOT = Path(__file__).parent.parent
OPERATOR = "the-key-of-the-operator-of-this-run"
PATH = "/collections/mine/subjects/ada"


@dataclass(frozen=True)
class Kind:
    """A kind of request that is refused. group: kinds of a group must take the same time."""

    group: str
    name: str
    path: str
    key: str


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000, help="of each kind")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        key_file = Path(folder) / "operator"
        key_file.write_text(OPERATOR)
        models = ROOT / "var" / "models"
        with run_service(Path(folder) / "data", models, FACE_ADMIN_KEY_FILE=str(key_file)) as served:
            kinds = _make_kinds(served)
            Console().print(_table(kinds, _measure(served, kinds, arguments.requests)))


def _make_kinds(served: RunningService) -> list[Kind]:
    """Store a subject, make keys, and return all kinds of refusals."""
    with httpx.Client(base_url=served.url, headers={"x-api-key": OPERATOR}) as client:
        client.put("/collections/mine").raise_for_status()
        client.put(PATH, json={}).raise_for_status()
        keys = [_make_key(client, collections=["other"]) for _ in range(3)]
        client.delete(f"/keys/{keys[0].split('_')[1]}").raise_for_status()
        client.post(f"/keys/{keys[1].split('_')[1]}/rotate", params={"overlap_s": 0}).raise_for_status()
    valid = keys[2]
    unknown = f"facenet_{'0' * 12}_{valid[-43:]}"
    changed = "A" if valid[-1] != "A" else "B"
    early = valid[:21] + ("A" if valid[21] != "A" else "B") + valid[22:]
    return [
        Kind("401", "the id does not exist", PATH, unknown),
        Kind("401", "the id does not exist (again)", PATH, unknown),
        Kind("401", "the last character is wrong", PATH, valid[:-1] + changed),
        Kind("401", "an early character is wrong", PATH, early),
        Kind("401", "revoked", PATH, keys[0]),
        Kind("401", "expired", PATH, keys[1]),
        Kind("401", "not the form of a key", PATH, "x" * len(valid)),
        Kind("404", "a collection that was never made", PATH.replace("mine", "none"), valid),
        Kind("404", "a collection that was never made (again)", PATH.replace("mine", "none"), valid),
        Kind("404", "another tenant's subject", PATH, valid),
        Kind("404", "no subject of another tenant", PATH.replace("ada", "bob"), valid),
        Kind("404", "another tenant's collection", "/collections/mine", valid),
    ]


def _make_key(client: httpx.Client, collections: list[str]) -> str:
    body = {"scopes": ["read"], "collections": collections}
    return str(client.post("/keys", json=body).raise_for_status().json()["key"])


def _measure(served: RunningService, kinds: list[Kind], requests: int) -> dict[str, list[float]]:
    """Return the seconds of each request, by kind."""
    url = httpx.URL(served.url)
    connection = http.client.HTTPConnection(url.host, url.port or 80)
    seconds: dict[str, list[float]] = {kind.name: [] for kind in kinds}
    for _ in track(range(requests), "Measuring"):
        for kind in random.sample(kinds, len(kinds)):
            start_s = perf_counter()
            connection.request("GET", kind.path, headers={"x-api-key": kind.key})
            answer = connection.getresponse()
            answer.read()
            seconds[kind.name].append(perf_counter() - start_s)
            if str(answer.status) != kind.group:
                raise SystemExit(f"{kind.name}: {answer.status}")
    connection.close()
    return seconds


def _table(kinds: list[Kind], seconds: dict[str, list[float]]) -> Table:
    table = Table("status", "what is wrong", "median ms", "divided by the first kind")
    first = {kind.group: kind.name for kind in reversed(kinds)}
    for kind in kinds:
        median_s = statistics.median(seconds[kind.name])
        ratio = median_s / statistics.median(seconds[first[kind.group]])
        table.add_row(kind.group, kind.name, f"{median_s * 1000:.3f}", f"{ratio:.3f}")
    return table


if __name__ == "__main__":
    main()
