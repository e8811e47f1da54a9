"""Kill a replica, PostgreSQL or Milvus while clients change the gallery through two replicas. Count what was lost.

    python -m benchmarks.replicas_chaos [--kills 25] [--index faiss] [--seed 0]
    MILVUS_SERVER=DIR python -m benchmarks.replicas_chaos --index milvus

Two clients of each replica enrol embeddings, rename subjects, move faces and delete subjects. At a random moment, one
of the processes is killed (kill -9), and is started again. Every acknowledged change must then be there, and both
replicas must say so within ten seconds after the process was started. Milvus must then have as many faces as the
records. A change that was not acknowledged may be there or not, but never in part.
"""

import argparse
import random
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from itertools import chain, count
from pathlib import Path

import httpx

from benchmarks.chaos_clients import Client, Loss, check, require
from service.gallery.indexes import MILVUS
from tests.support.milvus_server import MilvusServerProcess, running_milvus
from tests.support.postgres_server import PostgresServer, running_postgres
from tests.support.replicas import Replica

CLIENTS_OF_A_REPLICA = 2
JOIN_S = 120
AGREE_S = 10.0
KILL = 9


class ReplicasChaos:
    """Two replicas on one database, and their clients. milvus: the server that searches, or None."""

    def __init__(
        self, replicas: list[Replica], postgres: PostgresServer, milvus: MilvusServerProcess | None, seed: int
    ) -> None:
        self._replicas, self._postgres, self._milvus = replicas, postgres, milvus
        self._random = random.Random(seed)  # noqa: S311  # nothing secret
        numbers = count()
        self._clients = [[Client(next(numbers), seed) for _ in range(CLIENTS_OF_A_REPLICA)] for _ in replicas]
        self.kills: Counter[str] = Counter()
        self.slowest_s = self.slowest_milvus_s = self.slowest_restart_s = 0.0

    @property
    def victims(self) -> list[str]:
        """The processes that can be killed."""
        return ["replica 0", "replica 1", "postgres", *(["milvus"] if self._milvus else [])]

    def kill(self, victim: str) -> None:
        """Kill one of the processes at a random moment, start it again, and check what all hold."""
        threads = [
            threading.Thread(target=client.run, args=(replica.url,))
            for replica, clients in zip(self._replicas, self._clients, strict=True)
            for client in clients
        ]
        for thread in threads:
            thread.start()
        self._wait_a_moment()
        self._kill_and_start(victim)
        for thread in threads:
            thread.join(JOIN_S)
            require(not thread.is_alive(), f"the clients did not end within {JOIN_S} s")
        began_s = time.monotonic()
        self._wait_until_replicas_agree(began_s + AGREE_S)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began_s)
        if self._milvus:
            self._wait_until_complete(self._milvus, began_s + AGREE_S)
            self.slowest_milvus_s = max(self.slowest_milvus_s, time.monotonic() - began_s)
        self.kills[victim] += 1

    def _wait_a_moment(self) -> None:
        time.sleep(self._random.uniform(0.05, 1.5))

    def _kill_and_start(self, victim: str) -> None:
        """Kill the process, end the clients that did not notice it, and start it again."""
        if victim == "postgres":  # all clients notice it
            self._postgres.stop(KILL)
            self._postgres.start()
        elif victim == "milvus":  # no client notices it, because changes do not need Milvus
            assert self._milvus is not None  # noqa: S101  # it is a victim only if there is one
            self._milvus.kill()
            self._wait_a_moment()
            self._end_clients()
            began_s = time.monotonic()
            self._milvus.start()
            self.slowest_restart_s = max(self.slowest_restart_s, time.monotonic() - began_s)
        else:
            replica = self._replicas[int(victim.removeprefix("replica "))]
            assert replica.service is not None  # noqa: S101  # it was started
            replica.service.kill()
            replica.end()
            self._end_clients()
            replica.start()

    def _end_clients(self) -> None:
        for client in chain(*self._clients):
            client.last_code = client.last_code or "ended"

    def _wait_until_replicas_agree(self, deadline_s: float) -> None:
        """Check both replicas, until they agree with what was acknowledged. Raise Loss."""
        for replica in self._replicas:
            while True:
                try:
                    check(replica.url, list(chain(*self._clients)), self._random)
                    break
                except httpx.HTTPError:
                    require(time.monotonic() < deadline_s, "a replica is not ready again")
                except Loss as loss:
                    if "not ready" not in str(loss) or time.monotonic() >= deadline_s:
                        raise
                time.sleep(0.1)

    def _wait_until_complete(self, milvus: MilvusServerProcess, deadline_s: float) -> None:
        """Wait until Milvus has as many faces as were acknowledged. Raise Loss."""
        expected = sum(len(known.faces) for client in chain(*self._clients) for known in client.subjects.values())
        while (found := len(milvus.face_numbers())) != expected:
            require(time.monotonic() < deadline_s, f"Milvus has {found} faces, and the records have {expected}")
            time.sleep(0.1)

    def summary(self) -> str:
        """Return how much was changed and checked."""
        changes = sum((client.acknowledged for client in chain(*self._clients)), Counter[str]())
        text = f"{dict(self.kills)}: acknowledged {dict(changes)}; agreed after {self.slowest_s:.1f} s at most"
        if self._milvus:
            text += f", Milvus too after {self.slowest_milvus_s:.1f} s (its own start: {self.slowest_restart_s:.0f} s)"
        return text


def main() -> None:
    """Kill each process as often, in a random order. Stop at the first loss."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=25, help="of each process")
    parser.add_argument("--index", default="faiss", help="FACE_GALLERY__INDEX")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    arguments = parser.parse_args()
    with ExitStack() as resources:
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory()))
        postgres = resources.enter_context(running_postgres(fsync="on"))
        settings = {"FACE_GALLERY__URL": postgres.create_database(), "FACE_GALLERY__INDEX": arguments.index}
        settings["FACE_MODELS__EMBEDDER"] = "compact"
        milvus = None
        if arguments.index == MILVUS:
            milvus = resources.enter_context(running_milvus())
            settings |= milvus.settings()
        replicas = [Replica(folder / name, arguments.models.absolute(), **settings) for name in ("a", "b")]
        for replica in replicas:
            replica.start()
            resources.callback(replica.end)
        kill_all(ReplicasChaos(replicas, postgres, milvus, arguments.seed), arguments.kills, arguments.seed)
    print("Nothing was lost, and nothing that was deleted came back.")


def kill_all(bench: ReplicasChaos, kills: int, seed: int) -> None:
    """Kill each process as often, in a random order."""
    victims = bench.victims * kills
    random.Random(seed).shuffle(victims)  # noqa: S311  # nothing secret
    for number, victim in enumerate(victims, 1):
        try:
            bench.kill(victim)
        except Loss as loss:
            raise Loss(f"kill {number}, of {victim}: {loss}") from None
        if number % 10 == 0 or number == len(victims):
            print(f"{number} of {len(victims)}: {bench.summary()}", flush=True)


if __name__ == "__main__":
    main()
