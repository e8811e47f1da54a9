"""How fast and how smooth the long lists of the console are, and how much memory they take.

    python -m benchmarks.console [--rounds 3]

A browser lists 5,000 subjects, and groups 2,000 faces. The table has the time to the first row, and what happens while
the list is scrolled in 60 steps, one in each frame: by 100 pixels, as a wheel does, and by all that is visible. A frame
of a screen with 60 Hz is 16.7 ms. A long task is one that holds the page for more than 50 ms. The memory is that of
JavaScript, after a garbage collection. It needs Chromium.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

from tests.support.browser import find_chromium
from tests.support.enrolled_subjects import enrol_made_up
from tests.support.made_up_album import MadeUpFaces, write_album
from tests.support.running_service import run_service

MODELS = Path(__file__).parents[1] / "var" / "models"
SUBJECTS = 5_000
STEPS_PX = {"100 px": 100, "all that is visible": None}
COLUMNS = (
    "list",
    "first row ms",
    "step",
    "frame ms: median",
    "95 %",
    "longest",
    "long tasks",
    "MiB before",
    "MiB after",
    "nodes",
)

TIME_TO_FIRST_SUBJECT_MS = """async (address) => {
  const start = performance.now();
  location.hash = address;
  while (!document.querySelector(".subject")) await new Promise(requestAnimationFrame);
  return performance.now() - start;
}"""

NOTE_FIRST_FACE = """() => {
  const look = () => {
    if (document.querySelector(".group-face img")) window.firstFace = performance.now();
    else requestAnimationFrame(look);
  };
  look();
}"""
TIME_TO_FIRST_FACE_MS = """() => {
  const answer = performance.getEntriesByType("resource").find((entry) => entry.name.endsWith("/cluster"));
  return window.firstFace - answer.responseEnd;
}"""

SCROLL = """async ([selector, stepPx]) => {
  const frame = selector ? document.querySelector(selector) : document.scrollingElement;
  const longTasks = [];
  const observer = new PerformanceObserver((list) => longTasks.push(...list.getEntries()));
  observer.observe({ type: "longtask" });
  frame.scrollTop = 0;
  const nextFrame = () => new Promise(requestAnimationFrame);
  await nextFrame();
  let before = await nextFrame();
  const intervals = [];
  for (let step = 0; step < 60; step += 1) {
    frame.scrollTop += stepPx ?? frame.clientHeight;
    const now = await nextFrame();
    intervals.push(now - before);
    before = now;
  }
  await new Promise((resolve) => setTimeout(resolve, 100)); // long tasks are reported later
  observer.disconnect();
  return { intervals, longTasks: longTasks.length };
}"""


@dataclass(frozen=True, slots=True)
class Scrolling:
    """What happened while a list was scrolled. step: its name. intervals_ms: between the frames."""

    step: str
    intervals_ms: list[float]
    long_tasks: int
    mib_before: float
    mib_after: float
    nodes: int


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with TemporaryDirectory() as folder, run_service(Path(folder) / "data", MODELS) as served, open_browser() as page:
        with httpx.Client(base_url=served.url, timeout=60) as api:
            enrol_made_up(api, "many", SUBJECTS)
            model = api.get("/model").json()
        page.goto(f"{served.url}/#/people")
        page.wait_for_selector("h1")
        first_subject_ms, subjects = measure_subjects(page, rounds)
        write_album(Path(folder) / "album")
        page.route("**/embed?*", MadeUpFaces({name: model[name] for name in ("name", "id", "dimension")}).answer)
        first_face_ms, faces = measure_faces(page, Path(folder) / "album", rounds)
    table = Table(*COLUMNS, title="Long lists of the console")
    for name, first_row_ms, scrollings in (
        (f"{SUBJECTS:,} subjects", first_subject_ms, subjects),
        ("2,000 faces", first_face_ms, faces),
    ):
        for one in scrollings:
            table.add_row(name, f"{first_row_ms:.0f}", *cells_of(one))
    Console().print(table)


@contextmanager
def open_browser() -> Iterator[Page]:
    """Yield a page of Chromium, 1280 pixels wide and 800 high."""
    command = find_chromium()
    if command is None:
        raise SystemExit("Chromium is not installed.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=command, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(300_000)
        yield page
        browser.close()


def measure_subjects(page: Page, rounds: int) -> tuple[float, list[Scrolling]]:
    """List the subjects, and scroll them. Return the time to the first one in ms, and a result for each step."""
    first_row_ms = page.evaluate(TIME_TO_FIRST_SUBJECT_MS, "#/people/many")
    page.get_by_text(f"{SUBJECTS:,} subjects", exact=True).wait_for()
    return first_row_ms, [scroll(page, ".subjects-frame", step, rounds) for step in STEPS_PX]


def measure_faces(page: Page, album: Path, rounds: int) -> tuple[float, list[Scrolling]]:
    """Group the faces of the album, and scroll them. Return what `measure_subjects` returns."""
    page.evaluate("location.hash = '#/clusters'")
    page.evaluate(NOTE_FIRST_FACE)
    page.get_by_label("A folder of photographs: choose").set_input_files(album)
    page.locator(".group-face img").first.wait_for()
    first_row_ms = page.evaluate(TIME_TO_FIRST_FACE_MS)
    return first_row_ms, [scroll(page, None, step, rounds) for step in STEPS_PX]


def scroll(page: Page, frame: str | None, step: str, rounds: int) -> Scrolling:
    """Scroll a list by a step of STEPS_PX. frame: the selector of what scrolls. None means the page."""
    mib_before, _ = memory(page)
    results = [page.evaluate(SCROLL, [frame, STEPS_PX[step]]) for _ in range(rounds)]
    mib_after, nodes = memory(page)
    intervals_ms = [interval for result in results for interval in result["intervals"]]
    long_tasks = sum(result["longTasks"] for result in results)
    return Scrolling(step, intervals_ms, long_tasks, mib_before, mib_after, nodes)


def memory(page: Page) -> tuple[float, int]:
    """Return the memory of JavaScript in MiB, and the number of nodes, after a garbage collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    return metrics["JSHeapUsedSize"] / 2**20, int(metrics["Nodes"])


def cells_of(one: Scrolling) -> list[str]:
    """Return the cells of a row after the first two."""
    times = [f"{value:.1f}" for value in np.quantile(one.intervals_ms, [0.5, 0.95, 1])]
    return [one.step, *times, str(one.long_tasks), f"{one.mib_before:.1f}", f"{one.mib_after:.1f}", str(one.nodes)]


if __name__ == "__main__":
    main()
