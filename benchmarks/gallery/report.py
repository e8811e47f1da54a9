"""What is written: the table, gallery.json and gallery.png."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from matplotlib.figure import Figure
from rich.table import Table

from benchmarks.gallery.measurements import (
    SMALL_FACES,
    WAITING_CLIENTS,
    WRITING_CLIENTS,
    Changes,
    Imported,
    Measured,
    Room,
    Searched,
)
from models.evaluation.reports.report import new_figure


@dataclass(frozen=True)
class GalleryReport:
    """The figures of all sizes of one run."""

    measured: Sequence[Measured]

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table as text, with a header."""
        header = ("faces", *(f"{one.faces:,}" for one in self.measured))
        columns = [_figures(one) for one in self.measured]
        return [header, *((name, *(column[name] for column in columns)) for name in columns[0])]

    def numbers(self) -> dict[str, object]:
        """Return all figures by name."""
        return {"sizes": [asdict(one) for one in self.measured]}

    def draw(self) -> Figure:
        """Return three pictures by the number of faces: latency, memory, and time until the service is ready."""
        figure = new_figure(13, 4)
        faces = [one.faces for one in self.measured]
        pictures: dict[str, dict[str, list[float]]] = {
            "ms": {
                "/identify, p50": [one.searched.latency.p50_ms for one in self.measured],
                "/identify, p99": [one.searched.latency.p99_ms for one in self.measured],
                "FAISS alone": [one.searched.bare_ms for one in self.measured],
            },
            "MiB": {
                "memory": [one.room.anonymous_mib for one in self.measured],
                "disk": [one.room.disk_mib for one in self.measured],
            },
            "s": {
                "import": [one.faces / one.imported.per_s for one in self.measured],
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


def _figures(measured: Measured) -> dict[str, str]:
    """Return the rows of one size: their names, and what is shown."""
    return (
        _searches(measured.searched)
        | _imports(measured.imported)
        | _room(measured.room)
        | _changes(measured.changes)
        | {
            "s from the start until all is searched": f"{measured.ready_s:.1f}",
            "peak MiB of that start": f"{measured.rebuild_peak_mib:.0f}",
        }
    )


def _searches(searched: Searched) -> dict[str, str]:
    latency, probes = searched.latency, (searched.mated, searched.strangers, searched.real)
    small = f"of {SMALL_FACES} faces"
    ratios = latency.p50_ms / latency.small_p50_ms, latency.p99_ms / latency.small_p99_ms
    return {
        "/identify p50, p99, ms": f"{latency.p50_ms:.2f}, {latency.p99_ms:.2f}",
        f"/identify p50, p99 {small}, ms": f"{latency.small_p50_ms:.2f}, {latency.small_p99_ms:.2f}",
        "ratio (asked 1.5, 2.5)": ", ".join(f"{ratio:.2f}" for ratio in ratios),
        f"/identify a second, {WAITING_CLIENTS} clients (asked 400)": f"{searched.waiting_per_s:.0f}",
        f"/identify a second {small}, {WAITING_CLIENTS} clients": f"{searched.small_waiting_per_s:.0f}",
        "stage search, ms; FAISS alone, ms": f"{searched.search_ms:.2f}; {searched.bare_ms:.2f}",
        "subject as exact search, mated; strangers; LFW": "; ".join(f"{one.subjects:.2%}" for one in probes),
        "and decision (asked 99.9 %)": "; ".join(f"{one.decisions:.2%}" for one in probes),
        "distance within 1e-6": "; ".join(f"{one.distances:.2%}" for one in probes),
    }


def _imports(imported: Imported) -> dict[str, str]:
    return {
        "imported faces a second (asked 15,000)": f"{imported.per_s:.0f}",
        "agreement, as the service shows it": f"{imported.agreement:.2%}",
        "s until all segments are made": f"{imported.settle_s:.1f}",
        "p99 of /identify during the import, ms": f"{imported.importing_p99_ms:.1f}",
    }


def _shown_ms(milliseconds: float | None) -> str:
    return "none was made" if milliseconds is None else f"{milliseconds:.1f}"


def _room(room: Room) -> dict[str, str]:
    return {
        "bytes a face in memory (asked 200)": f"{room.anonymous_bytes:.0f}",
        "MiB in memory; peak with files": f"{room.anonymous_mib:.0f}; {room.peak_mib:.0f}",
        "MiB on the disk": f"{room.disk_mib:.0f}",
    }


def _changes(changes: Changes) -> dict[str, str]:
    return {
        "enrol one face, p50 ms (asked 10)": f"{changes.enrol_ms:.1f}",
        f"enrolments a second, {WRITING_CLIENTS} clients (asked 300)": f"{changes.enrol_per_s:.0f}",
        "delete a subject, p50 ms (asked 10)": f"{changes.delete_ms:.1f}",
        "delete 1,000 subjects, s (asked 10)": f"{changes.delete_many_s:.1f}",
        "p99 of /identify while a segment is made again, ms": _shown_ms(changes.rewriting_p99_ms),
    }
