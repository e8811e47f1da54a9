"""Each stage alone: one stage is called in a loop, and nothing else runs."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from time import perf_counter

import numpy as np

from service.gallery.indexes.segments.segmented import SegmentedIndex
from service.observability.stages import request_stages, stage
from service.pipeline.decoding.decode import decode
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor
from service.pipeline.selection import main_face

ENROLLED = 10_000
NEIGHBOURS = 10

Call = Callable[[int], object]
"""Runs a stage on the photograph of a number. It records its time under the name of the stage."""


@dataclass(frozen=True)
class StageTime:
    """The time of a stage, for one photograph.

    one_thread_s: while nothing else runs.
    all_threads_s: while as many threads as there are cores run it.
    """

    name: str
    one_thread_s: float
    all_threads_s: float


def measure_stages(
    options: PipelineOptions, photographs: Sequence[bytes], seconds: float, done: Callable[[], None]
) -> list[StageTime]:
    """Measure each stage, about `seconds` in one thread and as long in all. done: is called after each group."""
    times = []
    for call in _calls(options, photographs):
        one, all_threads = _measure(call, 1, seconds), _measure(call, options.threads, seconds)
        times += [StageTime(name, one[name], all_threads[name]) for name in one]
        done()
    return times


def measure_search(dimension: int, threads: int, seconds: float) -> StageTime:
    """Measure a search for the nearest of ENROLLED faces. The embeddings are random: the time is the same."""
    random = np.random.default_rng(0)
    enrolled = random.normal(size=(ENROLLED, dimension)).astype(np.float32)
    enrolled /= np.linalg.norm(enrolled, axis=1, keepdims=True)
    index = SegmentedIndex(dimension)
    index.add(np.arange(ENROLLED), enrolled)
    name = f"search of {ENROLLED:,} faces"

    def search(number: int) -> None:
        with stage(name):
            index.search(enrolled[number % ENROLLED][np.newaxis], NEIGHBOURS)

    one, all_threads = _measure(search, 1, seconds), _measure(search, threads, seconds)
    return StageTime(name, one[name], all_threads[name])


def _calls(options: PipelineOptions, photographs: Sequence[bytes]) -> list[Call]:
    embedder = open_embedder(options)
    extractor = open_face_extractor(options, embedder.card)
    images = [decode(one, options.max_pixels, extractor.choose_reduction) for one in photographs]
    detected = [extractor.detect(one, main_face) for one in photographs]
    crops = [one.crops for one in map(extractor.cut_out, detected) if len(one.crops)]

    def decode_one(number: int) -> None:
        with stage("decode"):
            decode(photographs[number % len(photographs)], options.max_pixels, extractor.choose_reduction)

    def find_faces(number: int) -> None:
        extractor.find_faces(images[number % len(images)])  # records `detect` and `landmarks`

    def cut_out(number: int) -> None:
        extractor.cut_out(detected[number % len(detected)])  # records `align` and `quality`

    def embed(number: int) -> None:
        with stage("embed"):
            embedder.embed(crops[number % len(crops)])

    return [decode_one, find_faces, cut_out, embed]


def _measure(call: Call, threads: int, seconds: float) -> dict[str, float]:
    """Return the mean seconds of each stage that the call records."""
    call(0)  # not counted

    def run(first: int) -> tuple[int, dict[str, float]]:
        end_s = perf_counter() + seconds
        with request_stages() as stages_s:
            for number in count(first, threads):
                call(number)
                if perf_counter() > end_s:
                    return (number - first) // threads + 1, dict(stages_s)
        raise AssertionError

    totals_s: dict[str, float] = defaultdict(float)
    calls = 0
    with ThreadPoolExecutor(threads) as pool:
        for count_of_thread, stages_s in pool.map(run, range(threads)):
            calls += count_of_thread
            for name, total_s in stages_s.items():
                totals_s[name] += total_s
    return {name: total_s / calls for name, total_s in totals_s.items()}
