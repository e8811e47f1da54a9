import asyncio
import time

import pytest

from service.observability.loop_lag import measured_loop_lag
from service.observability.metrics import EVENT_LOOP_LAG

pytestmark = pytest.mark.anyio


def lag_sum_s() -> float:
    return next(s.value for m in EVENT_LOOP_LAG.collect() for s in m.samples if s.name.endswith("_sum"))


async def test_work_that_holds_the_event_loop_is_in_the_metric() -> None:
    before_s = lag_sum_s()
    async with measured_loop_lag():
        await asyncio.sleep(0)
        time.sleep(0.5)  # noqa: ASYNC251  # this is what is measured
        while lag_sum_s() < before_s + 0.3:  # noqa: ASYNC110  # a metric has no event
            await asyncio.sleep(0.01)
