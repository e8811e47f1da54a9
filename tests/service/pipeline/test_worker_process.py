"""A worker process: it runs functions, and it neither hangs nor stays behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.domain.errors import Abandoned, Overloaded
from service.domain.waiting import WaitingClient, work_for
from service.pipeline.processes.worker_process import WorkerProcess

pytestmark = pytest.mark.anyio
LONG_S = 600.0
WAIT_S = 30.0


def raise_memory_error() -> None:
    raise MemoryError


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def is_gone(pid: int) -> bool:
    """Wait until no process has this id, for a limited time. A killed child of nobody is removed by process 1."""
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False


async def test_a_function_runs_in_another_process_and_the_next_one_in_the_same() -> None:
    async with WorkerProcess() as worker:
        pids = [await worker.run(os.getpid) for _ in range(2)]
        assert pids == [worker.pid, worker.pid]
        assert worker.pid != os.getpid()


async def test_megabytes_go_both_ways() -> None:
    data = os.urandom(20 * 2**20)
    async with WorkerProcess() as worker:
        assert await worker.run(bytes, data) == data


async def test_an_error_of_the_function_is_raised_and_the_process_stays() -> None:
    async with WorkerProcess() as worker:
        with pytest.raises(ZeroDivisionError):
            await worker.run(divmod, 1, 0)
        assert await worker.run(divmod, 7, 2) == (3, 1)


async def test_what_the_function_prints_is_no_answer() -> None:
    async with WorkerProcess() as worker:
        await worker.run(print, "an answer?")
        assert await worker.run(divmod, 7, 2) == (3, 1)


async def test_a_process_that_dies_is_503_and_is_replaced() -> None:
    async with WorkerProcess() as worker:
        with pytest.raises(Overloaded):
            await worker.run(kill_itself)
        assert await worker.run(divmod, 7, 2) == (3, 1)


async def test_a_process_that_died_between_two_calls_is_replaced() -> None:
    async with WorkerProcess() as worker:
        killed = await worker.run(os.getpid)
        os.kill(killed, signal.SIGKILL)
        assert is_gone(killed)
        while worker.pid == killed:
            try:
                await worker.run(os.getpid)
            except Overloaded:
                continue
        assert await worker.run(divmod, 7, 2) == (3, 1)


async def test_a_process_without_memory_says_so() -> None:
    async with WorkerProcess() as worker:
        with pytest.raises(MemoryError):
            await worker.run(raise_memory_error)


async def test_a_process_that_nobody_waits_for_is_ended() -> None:
    client = WaitingClient()
    async with WorkerProcess() as worker:
        pid = await worker.run(os.getpid)
        with work_for(client):
            waiting = asyncio.create_task(worker.run(time.sleep, LONG_S))
        await asyncio.sleep(0)
        client.refuse()
        with pytest.raises(Abandoned):
            await waiting
        assert is_gone(pid)
        assert await worker.run(divmod, 7, 2) == (3, 1)


async def test_a_call_for_which_nobody_waits_is_not_begun() -> None:
    client = WaitingClient()
    client.leave()
    async with WorkerProcess() as worker:
        with work_for(client), pytest.raises(Abandoned):
            await worker.run(os.getpid)
        assert worker.pid is None


async def test_the_end_of_the_context_ends_a_working_process() -> None:
    async with WorkerProcess() as worker:
        pid = await worker.run(os.getpid)
        waiting = asyncio.create_task(worker.run(time.sleep, LONG_S))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert is_gone(pid)


async def test_sigterm_to_the_whole_group_does_not_end_it() -> None:
    async with WorkerProcess() as worker:
        pid = await worker.run(os.getpid)
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
        assert await worker.run(os.getpid) == pid


PARENT = """
import asyncio, os, time
from service.pipeline.processes.worker_process import WorkerProcess
async def main():
    async with WorkerProcess() as worker:
        print(await worker.run(os.getpid), flush=True)
        await worker.run(time.sleep, 600)
asyncio.run(main())
"""


def test_a_working_process_ends_when_its_service_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert is_gone(pid)


def test_the_process_that_clusters_imports_neither_fastapi_nor_onnx_runtime() -> None:
    code = (
        "import sys; from service.clusterers import CLUSTERERS, create_clusterer; from pkgutil import resolve_name; "
        "import service.pipeline.processes.worker, service.api.schemas.cluster, service.api.schemas.faces; "
        "[resolve_name(name) for name in CLUSTERERS.values()]; "
        "sys.exit(bool({'fastapi', 'onnxruntime', 'faiss', 'cv2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
