"""How long the event loop of the running service is held, and what it costs to hand work to another process.

    python -m benchmarks.loop_lag

For each kind of request, a lone client asks for /livez again and again while the request runs. The longest of these
answers is the time for which the service stood still. The quiet service is measured in between.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from service.clusterers import label_faces
from service.clusterers.base import ClusteringLimits
from service.pipeline.processes.worker_process import WorkerProcess
from service.pipeline.round_robin import RoundRobinThreads
from tests.support.running_service import run_service

ROOT = Path(__file__).parent.parent
DIMENSION = 128
ROUNDS = 3
Work = Callable[[], Awaitable[object]]
Send = Callable[[], Awaitable[httpx.Response]]


def main() -> None:
    """Measure, and print the tables."""
    console = Console()
    console.print(asyncio.run(_hand_over_table()))
    with TemporaryDirectory() as folder, run_service(Path(folder) / "data", ROOT / "var" / "models") as served:
        console.print(asyncio.run(_request_table(served.url)))


def _embeddings(count: int) -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(count, DIMENSION))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


async def _hand_over_table() -> Table:
    columns = ("faces", "thread ms", "thread: loop held ms", "process ms", "process: loop held ms")
    table = Table(*columns, title="agglomerative clusterings: the best time, and the longest hold")
    threads = RoundRobinThreads(1)
    async with WorkerProcess() as process:
        start_s = perf_counter()
        await process.run(label_faces, "agglomerative", ClusteringLimits(1.0), *_faces(2))
        table.caption = f"first call of the process: {perf_counter() - start_s:.2f} s, {_memory_mb(process.pid)} MB"
        for count in (100, 250, 500, 1000, 2000, 5000):
            limits, faces = ClusteringLimits(1.0), _faces(count)
            cells = []
            for place in (threads, process):
                took = [
                    await _held(partial(place.run, label_faces, "agglomerative", limits, *faces), asyncio.sleep)
                    for _ in range(ROUNDS)
                ]
                cells += [f"{1e3 * min(one[0] for one in took):.1f}", f"{1e3 * max(one[1] for one in took):.1f}"]
            table.add_row(str(count), *cells)
    return table


def _faces(count: int) -> tuple[np.ndarray, np.ndarray]:
    return _embeddings(count).astype(np.float32), np.arange(count)


def _memory_mb(pid: int | None) -> int:
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


async def _request_table(url: str) -> Table:
    table = Table("request", "MiB", "status", "took ms", "longest /livez ms", title="the running service")
    photograph = next((ROOT / "var" / "photographs").glob("*/*.jpg")).read_bytes()
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        model = (await client.get("/model")).json()["id"]
        noise = base64.b64encode(np.random.default_rng(0).bytes(10 * 2**20)).decode()
        many = [("images", photograph)] * 60
        requests = {
            "nothing": ("/livez", None, None),
            "/cluster, 5,000 embeddings": ("/cluster?threshold=1", _cluster_body(5000, model), None),
            "/cluster, dbscan": ("/cluster?method=dbscan&threshold=1", _cluster_body(5000, model), None),
            "/embed, base64 of 10 MiB": ("/embed", json.dumps({"images": [{"base64": noise}]}), None),
            "/embed, a form of 60 photographs": ("/embed?include=embedding", None, many),
        }
        for name, (path, body, files) in requests.items():
            for again in (False, True):
                work = _request(client, path, body, files)
                took_s, held_s, answer = await _held_request(work, client)
                title = f"{name}{', again' if again else ''}"
                size = f"{int(answer.request.headers.get('content-length', 0)) / 2**20:.1f}"
                table.add_row(title, size, str(answer.status_code), f"{1e3 * took_s:.0f}", f"{1e3 * held_s:.1f}")
    return table


def _cluster_body(count: int, model: str) -> str:
    return json.dumps({"embeddings": _embeddings(count).tolist(), "model": model})


def _request(client: httpx.AsyncClient, path: str, body: str | None, files: object) -> Send:
    if body is None and files is None:
        return lambda: client.get(path)
    headers = {"content-type": "application/json"} if body else {}
    return lambda: client.post(path, content=body, files=files, headers=headers)  # type: ignore[arg-type]  # a list of parts


async def _held_request(work: Send, client: httpx.AsyncClient) -> tuple[float, float, httpx.Response]:
    answers: list[httpx.Response] = []

    async def run() -> None:
        answers.append(await work())

    took_s, held_s = await _held(run, lambda _s: client.get("/livez"))
    return took_s, held_s, answers[0]


async def _held(work: Work, look: Callable[[float], Awaitable[object]]) -> tuple[float, float]:
    """Return how long the work took, and the longest time that a look at the event loop took meanwhile."""
    longest_s = 0.0

    async def look_again_and_again() -> None:
        nonlocal longest_s
        while True:
            start_s = perf_counter()
            await look(0.001)
            longest_s = max(longest_s, perf_counter() - start_s)
            await asyncio.sleep(0.001)

    looking = asyncio.create_task(look_again_and_again())
    await asyncio.sleep(0.02)
    longest_s, start_s = 0.0, perf_counter()
    await work()
    took_s = perf_counter() - start_s
    await asyncio.sleep(0.01)
    looking.cancel()
    return took_s, longest_s


if __name__ == "__main__":
    main()
