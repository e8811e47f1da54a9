"""The models alone: the steps of POST /verify as plain calls in threads, without HTTP, queue or event loop.

This is the limit that the service is compared with.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from resource import RUSAGE_SELF, getrusage
from time import perf_counter

import cv2

from benchmarks.load import Measurement
from service.domain.distances import paired_squared_l2
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor
from service.pipeline.selection import main_face

PhotographPair = tuple[bytes, bytes]
"""Two encoded photographs."""

VerifyPair = Callable[[PhotographPair], float]
"""Computes the squared L2 distance of the main faces of two photographs."""


def open_verify(options: PipelineOptions) -> VerifyPair:
    """Open the models, and return the function that compares two photographs.

    It processes the two photographs one after the other: decode, detect, landmarks, align, embed.
    """
    cv2.setNumThreads(1)
    embedder = open_embedder(options)
    extractor = open_face_extractor(options, embedder.card)

    def verify(pair: PhotographPair) -> float:
        left, right = (embedder.embed(extractor.extract(photograph, main_face).crops) for photograph in pair)
        return float(paired_squared_l2(left, right)[0])

    return verify


def measure(verify: VerifyPair, pairs: Sequence[PhotographPair], threads: int) -> Measurement:
    """Compare all pairs, `threads` pairs at a time. The CPU time is that of the whole process."""
    start_s, start_cpu_s = perf_counter(), _cpu_s()
    with ThreadPoolExecutor(threads) as pool:
        latencies_s = list(pool.map(lambda pair: _latency_s(verify, pair), pairs))
    return Measurement(latencies_s, perf_counter() - start_s, _cpu_s() - start_cpu_s)


def _latency_s(verify: VerifyPair, pair: PhotographPair) -> float:
    start_s = perf_counter()
    verify(pair)
    return perf_counter() - start_s


def _cpu_s() -> float:
    usage = getrusage(RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
