"""What is written: the table, gallery.json and gallery.png."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from matplotlib.figure import Figure
from rich.table import Table

from benchmarks.gallery.measurements import SMALL_FACES, WAITING_CLIENTS, WRITING_CLIENTS, Measured
from models.evaluation.reports.report import new_figure

FIGURES: dict[str, Callable[[Measured], str]] = {
    "/identify p50, p99, ms": lambda m: f"{m.latency.p50_ms:.2f}, {m.latency.p99_ms:.2f}",
    f"the same of {SMALL_FACES} faces": lambda m: f"{m.latency.small_p50_ms:.2f}, {m.latency.small_p99_ms:.2f}",
    "ratio of p50 (asked 1.5), p99 (2.5)": lambda m: (
        f"{m.latency.p50_ms / m.latency.small_p50_ms:.2f}, {m.latency.p99_ms / m.latency.small_p99_ms:.2f}"
    ),
    f"/identify a second, {WAITING_CLIENTS} clients (asked 400)": lambda m: f"{m.waiting_per_s:.0f}",
    f"the same of {SMALL_FACES} faces ": lambda m: f"{m.small_waiting_per_s:.0f}",
    "stage search, ms; FAISS alone, ms": lambda m: f"{m.search_ms:.2f}; {m.bare_ms:.2f}",
    "p99 while segments are made, ms": lambda m: "" if m.building_p99_ms is None else f"{m.building_p99_ms:.1f}",
    "subject as exact search, mated; strangers": lambda m: f"{m.mated.subjects:.2%}; {m.strangers.subjects:.2%}",
    "and decision (asked 99.9 %)": lambda m: f"{m.mated.decisions:.2%}; {m.strangers.decisions:.2%}",
    "distance within 1e-6": lambda m: f"{m.mated.distances:.2%}; {m.strangers.distances:.2%}",
    "bytes a face in memory (asked 200)": lambda m: f"{m.anonymous_bytes:.0f}",
    "MiB now; peak": lambda m: f"{m.resident_mib:.0f}; {m.peak_mib:.0f}",
    "MiB on the disk": lambda m: f"{m.disk_mib:.0f}",
    "imported faces a second (asked 15,000)": lambda m: f"{m.import_per_s:.0f}",
    "s until all segments are made": lambda m: f"{m.settle_s:.1f}",
    "enrol one face, p50 ms (asked 10)": lambda m: f"{m.enrol_ms:.1f}",
    f"enrolments a second, {WRITING_CLIENTS} clients (asked 300)": lambda m: f"{m.enrol_per_s:.0f}",
    "delete a subject, p50 ms (asked 10)": lambda m: f"{m.delete_ms:.1f}",
    "delete 1,000 subjects, s (asked 10)": lambda m: f"{m.delete_many_s:.1f}",
    "s from the start until all is searched": lambda m: f"{m.ready_s:.1f}",
    "peak MiB of that start": lambda m: f"{m.rebuild_peak_mib:.0f}",
}
"""The rows of the table."""


@dataclass(frozen=True)
class GalleryReport:
    """The figures of all sizes of one run."""

    measured: Sequence[Measured]

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table as text, with a header."""
        header = ("faces", *(f"{one.faces:,}" for one in self.measured))
        return [header, *((name, *(show(one) for one in self.measured)) for name, show in FIGURES.items())]

    def numbers(self) -> dict[str, object]:
        """Return all figures by name."""
        return {"sizes": [asdict(one) for one in self.measured]}

    def draw(self) -> Figure:
        """Return three pictures by the number of faces: latency, memory, and time until the service is ready."""
        figure = new_figure(13, 4)
        faces = [one.faces for one in self.measured]
        pictures: dict[str, dict[str, list[float]]] = {
            "ms": {
                "/identify, p50": [one.latency.p50_ms for one in self.measured],
                "/identify, p99": [one.latency.p99_ms for one in self.measured],
                "FAISS alone": [one.bare_ms for one in self.measured],
            },
            "MiB": {
                "memory": [one.resident_mib for one in self.measured],
                "disk": [one.disk_mib for one in self.measured],
            },
            "s": {
                "import": [one.faces / one.import_per_s for one in self.measured],
                "start": [one.ready_s for one in self.measured],
            },
        }
        for axes, (unit, lines) in zip(figure.subplots(1, 3), pictures.items(), strict=True):
            for name, values in lines.items():
                axes.plot(faces, values, marker="o", label=name)
            axes.set(xscale="log", yscale="log", xlabel="enrolled faces", ylabel=unit)
            axes.legend()
        return figure


def table(report: GalleryReport) -> Table:
    """Return the table for a terminal."""
    header, *rows = report.rows()
    shown = Table(*header)
    for row in rows:
        shown.add_row(*row)
    return shown
