"""What the page computes is what the service computes."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from service.api.schemas.health import LoadedModelAnswer
from service.model_files.calibration import Calibration
from service.model_files.card import EmbedderCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.alignment import ARCFACE_TEMPLATE, similarity
from tests.support.running_service import RunningService

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(chromium: Browser, service: RunningService) -> Page:
    page = chromium.new_page()
    page.goto(f"{service.url}/", wait_until="load")
    return page


@pytest.fixture(scope="module")
def calibration(models_dir: Path) -> Calibration:
    card = open_model(models_dir / "sface.onnx", EmbedderCard, Execution(), None).card
    answer = LoadedModelAnswer.of(card).calibration
    assert answer is not None
    return answer


def run(page: Page, module: str, expression: str, *arguments: Any) -> Any:
    """Import a module of the page, and evaluate an expression in which `it` is the module and `x` the arguments."""
    script = f"async (x) => {{ const it = await import('./console/calculations/{module}.js'); return {expression}; }}"
    return page.evaluate(script, list(arguments))


def test_a_face_is_cut_out_as_the_service_does(page: Page) -> None:
    rng = np.random.default_rng(1)
    for _ in range(5):
        turn = rng.normal(size=2) @ np.array([1, 1j])
        points = np.array(ARCFACE_TEMPLATE, np.float64) @ np.array([1, 1j]) * turn * 3 + rng.normal(size=5) * 4 + 200
        landmarks = np.stack([points.real, points.imag], axis=1).astype(np.float32)
        a, b, c, d, e, f = run(page, "alignment", "it.similarityToTemplate(x[0])", landmarks.tolist())
        assert np.allclose([[a, c, e], [b, d, f]], similarity(landmarks, ARCFACE_TEMPLATE), rtol=1e-5, atol=1e-4)


def test_the_error_rates_are_those_of_the_service(page: Page, calibration: Calibration) -> None:
    table = json.loads(calibration.model_dump_json())
    for threshold in (0.5, 0.96, 0.97, 1.242, 1.5, 1.88, 1.9):
        fmr, fnmr = run(page, "calibration", "[it.fmrAt(x[0], x[1]), it.fnmrAt(x[0], x[1])]", table, threshold)
        assert (fmr is None, fnmr is None) == (calibration.fmr(threshold) is None, calibration.fnmr(threshold) is None)
        if fmr is not None:
            assert math.isclose(fmr, calibration.fmr(threshold) or 0, rel_tol=1e-9)
            assert math.isclose(fnmr, calibration.fnmr(threshold) or 0, rel_tol=1e-9)
    for rate in (1e-5, 1e-3, 0.5):
        found = run(page, "calibration", "it.thresholdAtFmr(x[0], x[1])", table, rate)
        assert math.isclose(found, calibration.threshold_at_fmr(rate), rel_tol=1e-9)
    assert run(page, "calibration", "it.thresholdAtFmr(x[0], 1e-9)", table) is None


@pytest.mark.parametrize(
    ("rate", "words"), [(0.132, "13 in 100"), (0.0144, "1.4 in 100"), (0.00072, "1 in 1,400"), (0, "none measured")]
)
def test_a_rate_is_written_as_people_say_it(page: Page, rate: float, words: str) -> None:
    assert run(page, "calibration", "it.inWords(x[0])", rate) == words


def test_the_metrics_are_read_as_prometheus_writes_them(page: Page) -> None:
    registry = CollectorRegistry()
    counter = Counter("done", "Done.", ["what"], registry=registry)
    counter.labels('a "quoted" \\ name\n, {b="c"}').inc(3)
    counter.labels("other").inc(4)
    times = Histogram("time", "Time.", ["stage"], buckets=(0.1, 1, 10), registry=registry)
    before = generate_latest(registry).decode()
    for seconds in (0.05, 0.5, 0.5, 5):
        times.labels("read").observe(seconds)
    after = generate_latest(registry).decode()
    sums = run(page, "exposition", "[...it.sumsBy(it.parseExposition(x[0]), 'done_total', 'what')]", after)
    assert dict(sums) == {'a "quoted" \\ name\n, {b="c"}': 3, "other": 4}
    histogram = (
        "(() => { const [a, b] = x.map(it.parseExposition), h = it.histogramBetween(a, b, 'time'); "
        "return [h.count, h.mean, h.quantile(0.5), h.quantile(1)]; })()"
    )
    assert run(page, "exposition", histogram, before, after) == pytest.approx([4, 6.05 / 4, 0.55, 10])
    assert run(page, "exposition", histogram, after, after) == [0, None, None, None]
