"""Kill the service, fill its disk and take its files away while clients change the gallery. Count what was lost.

    python -m benchmarks.chaos [--kills 100] [--full-disks 20] [--moves 10] [--seed 0]

Four clients enrol embeddings, rename subjects, move faces and delete subjects. After each fault the service is started
again, and every acknowledged change must be there: no enrolled face is missing, and no deleted subject is back. A
change that was not acknowledged may be there or not, but never in part.
"""

import argparse
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.chaos_clients import Client, check, require
from tests.support.running_service import RunningService, run_service

CLIENTS = 4
JOIN_S = 600
"""On a slow machine it takes minutes until the clients have filled the disk."""
BLOCK_BYTES = 512
DATABASE = "gallery.sqlite3"
TAKEN_AWAY = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", "lock", "")
"""The files of the data directory that are moved away, and the directory itself."""


class Chaos:
    """One gallery that survives all faults. models_dir: the folder of the models."""

    def __init__(self, folder: Path, models_dir: Path, seed: int) -> None:
        self._data_dir = folder / "data"
        self._models_dir = models_dir
        self._random = random.Random(seed)  # noqa: S311  # nothing secret
        self._clients = [Client(number, seed) for number in range(CLIENTS)]
        self.outcomes: Counter[str] = Counter()

    def kill(self) -> None:
        """Kill the service at a random moment."""
        with self._checked_service() as service:
            threads = self._start_clients(service)
            time.sleep(self._random.uniform(0.05, 1.5))
            service.kill()
            _join(threads)
        self.outcomes["kill -9"] += 1

    def fill_disk(self) -> None:
        """Let every write fail that makes a file larger than a random limit, which is soon reached."""
        database = self._data_dir / DATABASE
        blocks = database.stat().st_size // BLOCK_BYTES if database.exists() else 0
        limit = f'ulimit -f {blocks + self._random.randrange(100, 400)} && exec "$0" "$@"'
        with self._checked_service("sh", "-c", limit) as service:
            _join(self._start_clients(service))
            self._require_code("storage_unavailable")
            check(service.url, self._clients, self._random)
            self._end(service)
        self.outcomes["full disk"] += 1

    def move_away(self) -> None:
        """Move a file away at a random moment. It is noticed, and after it is put back nothing is missing."""
        name = self._random.choice(TAKEN_AWAY)
        source, target = self._data_dir / name, self._data_dir.parent / "taken"
        with self._checked_service() as service:
            threads = self._start_clients(service)
            time.sleep(self._random.uniform(0.05, 1.5))
            source.rename(target)
            _join(threads)
            self._require_code("storage_lost")
            ready = httpx.get(f"{service.url}/readyz")
            require((ready.status_code, ready.json()["code"]) == (503, "storage_lost"), "/readyz hides the loss")
            require(any('"storage_lost"' in line for line in service.log_lines), "the log hides the loss")
            self._end(service)
        if name in {"", DATABASE}:
            target.rename(source)
        else:
            target.unlink()  # the others are not needed after the loss was noticed
        self.outcomes[f"{name or 'directory'} moved"] += 1

    def check(self) -> None:
        """Start the service a last time, and check everything."""
        with self._checked_service() as service:
            require(service.stop() == 0, "the service did not end with 0")

    @contextmanager
    def _checked_service(self, *wrapper: str) -> Iterator[RunningService]:
        """Start the service after the last fault, and check what it holds."""
        with run_service(self._data_dir, self._models_dir, *wrapper, FACE_MODELS__EMBEDDER="compact") as service:
            check(service.url, self._clients, self._random)
            yield service

    def _require_code(self, code: str) -> None:
        codes = {client.last_code for client in self._clients}
        require(codes == {code}, f"the clients got {codes}, not {code}")

    def _end(self, service: RunningService) -> None:
        self._random.choice((service.kill, service.stop))()

    def _start_clients(self, service: RunningService) -> list[threading.Thread]:
        threads = [threading.Thread(target=client.run, args=(service.url,)) for client in self._clients]
        for thread in threads:
            thread.start()
        return threads

    def summary(self) -> str:
        """Return how much was changed and checked."""
        changes: Counter[str] = sum((client.acknowledged for client in self._clients), Counter())
        subjects = sum(len(client.subjects) for client in self._clients)
        deleted = sum(len(client.deleted) for client in self._clients)
        return f"{dict(self.outcomes)}: acknowledged {dict(changes)}; {subjects} subjects stored, {deleted} deleted"


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(JOIN_S)
        require(not thread.is_alive(), f"the clients were not stopped by the fault within {JOIN_S} s")


def main() -> None:
    """Run all faults, in a random order. Stop at the first loss."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--full-disks", type=int, default=20)
    parser.add_argument("--moves", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chaos = Chaos(Path(folder), arguments.models.absolute(), arguments.seed)
        faults: list[Callable[[], None]] = [chaos.kill] * arguments.kills
        faults += [chaos.fill_disk] * arguments.full_disks + [chaos.move_away] * arguments.moves
        random.Random(arguments.seed).shuffle(faults)  # noqa: S311  # nothing secret
        for number, fault in enumerate(faults, 1):
            fault()
            if number % 10 == 0 or number == len(faults):
                print(f"{number} of {len(faults)}: {chaos.summary()}", flush=True)
        chaos.check()
    print("Nothing was lost, and nothing that was deleted came back.")


if __name__ == "__main__":
    main()
