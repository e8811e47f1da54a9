"""The service's side of a worker process: start it, send it calls, and end it."""

import asyncio
import pickle
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar, TypeVarTuple, Unpack, cast

import structlog

from service.domain.errors import Overloaded
from service.domain.waiting import require_waiting_client
from service.pipeline.processes import worker
from service.pipeline.round_robin import RoundRobinLimiter

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

LOG = structlog.stdlib.get_logger(__name__)
LOOK_S = 0.1
"""How often the service looks whether somebody still waits for the answer."""
BUFFER_BYTES = 2**24


class WorkerProcess:
    """Runs functions in one other process. Who is next is decided as for threads (`round_robin.py`).

    A function that holds the interpreter (the GIL) for long would stop all other requests if it ran in a thread.

    The process is started when it is first needed. It is ended when nobody waits for its answer any more, because the
    client left or the time limit passed. Then, or if it ended by itself, the next call starts another one. Use it as an
    async context manager: the end of the context ends the process.
    """

    def __init__(self) -> None:
        self._places = RoundRobinLimiter(1)
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    @property
    def pid(self) -> int | None:
        """The id of the process. None while it does not run."""
        return self._process.pid if self._process else None

    async def run(self, function: Callable[[Unpack[Arguments]], T], *arguments: *Arguments) -> T:
        """Run a function of a module. It, its arguments and its result must be picklable.

        Returns and raises what the function does. Raises Overloaded if the process ended, and Abandoned.
        """
        async with self._places.place():
            require_waiting_client()
            answer = await self._ask(pickle.dumps((function, arguments), pickle.HIGHEST_PROTOCOL))
        succeeded, result = pickle.loads(answer)  # noqa: S301  # this service has started the process
        if not succeeded:
            raise result
        return result  # type: ignore[no-any-return]  # what the function returned

    async def _ask(self, call: bytes) -> bytes:
        answering = asyncio.ensure_future(self._exchange(call))
        answered = False
        try:
            while not answering.done():
                await asyncio.wait({answering}, timeout=LOOK_S)
                require_waiting_client()
            answer = answering.result()
            answered = True
        except (OSError, asyncio.IncompleteReadError):
            LOG.warning("worker_process_ended")
            raise Overloaded(
                "The part of the service that works on large requests ended. There may be too little memory. Try "
                "again, or send less in one request.",
                retry_after_s=5,
            ) from None
        finally:
            if not answered:
                answering.cancel()
                await asyncio.gather(answering, return_exceptions=True)
                await self._end()
        return answer

    async def _exchange(self, call: bytes) -> bytes:
        process = await self._start()
        stdin, stdout = _pipes(process)
        stdin.write(len(call).to_bytes(worker.LENGTH_BYTES) + call)
        await stdin.drain()
        return await stdout.readexactly(int.from_bytes(await stdout.readexactly(worker.LENGTH_BYTES)))

    async def _start(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            # -P: no module is imported from the working directory. What a failing process prints can hold what a client
            # sent, so it goes nowhere.
            command, pipe = (sys.executable, "-P", "-m", worker.__name__), asyncio.subprocess.PIPE
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, limit=BUFFER_BYTES
            )
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.communicate()  # closes the pipes, and waits for the end


def _pipes(process: asyncio.subprocess.Process) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
    return cast("asyncio.StreamWriter", process.stdin), cast("asyncio.StreamReader", process.stdout)
