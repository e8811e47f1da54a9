from prometheus_client import generate_latest

from benchmarks.speed.exposition import MetricsSnapshot
from service.observability.metrics import BATCH_CROPS
from service.observability.stages import record_stage


def snapshot() -> MetricsSnapshot:
    return MetricsSnapshot.parse(generate_latest().decode())


def test_the_sizes_of_batches_since_an_earlier_time_are_counted() -> None:
    before = snapshot()
    for crops in (1, 2, 2, 4, 200):
        BATCH_CROPS.observe(crops)
    assert snapshot().batches_since(before) == {"1": 1, "2": 2, "3-4": 1, "more than 128": 1}


def test_the_time_of_a_stage_since_an_earlier_time_is_read() -> None:
    record_stage("decode", 1.0)
    before = snapshot()
    record_stage("decode", 0.25)
    assert snapshot().stages_since(before)["decode"] == 0.25
