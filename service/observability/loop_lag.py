"""How late the event loop is. While something holds it, no request is read, begun or answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.observability.metrics import EVENT_LOOP_LAG

PERIOD_S = 0.1


@asynccontextmanager
async def measured_loop_lag() -> AsyncIterator[None]:
    """Measure the lag all the time, until the context ends."""
    measuring = asyncio.create_task(_measure())
    try:
        yield
    finally:
        measuring.cancel()


async def _measure() -> None:
    clock = asyncio.get_running_loop().time
    while True:
        due_s = clock() + PERIOD_S
        await asyncio.sleep(PERIOD_S)
        EVENT_LOOP_LAG.observe(max(0.0, clock() - due_s))
