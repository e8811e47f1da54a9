"""The limit: the same pipeline without HTTP, queue or event loop, as plain calls in threads."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter

import cv2

from benchmarks.load import Measured
from service.app import pipeline_options
from service.distances import paired_squared_l2
from service.pipeline import PipelineOptions, main_face, open_embedder, open_sight
from service.settings import Models, Settings

Pair = tuple[bytes, bytes]
Verify = Callable[[Pair], float]
"""Two photographs -> their squared L2 distance."""


def options(models: Path) -> PipelineOptions:
    """As the service fills them in by default: the same sessions, the same threads."""
    return pipeline_options(Settings(models=Models(dir=models)))


def open_bare(models: Path) -> Verify:
    """Decode, detect, landmarks, align and embed the two photographs one after the other."""
    cv2.setNumThreads(1)
    embedder = open_embedder(options(models))
    sight = open_sight(options(models), embedder.card)

    def verify(pair: Pair) -> float:
        a, b = (embedder.embed(sight.look(photograph, main_face).crops) for photograph in pair)
        return float(paired_squared_l2(a, b)[0])

    return verify


def run(verify: Verify, pairs: Sequence[Pair], threads: int) -> Measured:
    """All pairs, `threads` at a time; cpu_s is the whole process's."""
    start_s, start_cpu_s = perf_counter(), _cpu_s()
    with ThreadPoolExecutor(threads) as pool:
        latencies_s = list(pool.map(lambda pair: _timed(verify, pair), pairs))
    return Measured(latencies_s, perf_counter() - start_s, _cpu_s() - start_cpu_s)


def _timed(verify: Verify, pair: Pair) -> float:
    start_s = perf_counter()
    verify(pair)
    return perf_counter() - start_s


def _cpu_s() -> float:
    usage = getrusage(RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
