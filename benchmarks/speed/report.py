"""What is written: the table, speed.json and speed.png."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from benchmarks.speed.rows import ALONE, SERVICE, STAGE, Row
from models.evaluation.reports.report import new_figure

COLUMNS = (
    "photographs",
    "what",
    "threads or clients",
    "requests",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "a second",
    "CPU ms",
    "MiB now / peak",
    "crops a call",
    "divided by its limit",
    "asked",
)


@dataclass(frozen=True)
class SpeedReport:
    """The rows of one run.

    stage_ms: for each set of photographs, the milliseconds of each stage in a /verify of one client.
    """

    measured: Sequence[Row]
    stage_ms: Mapping[str, Mapping[str, float]]

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table as text, with a header."""
        return [COLUMNS, *(cells(row) for row in self.measured)]

    def numbers(self) -> dict[str, object]:
        """Return all figures by name."""
        return {
            "rows": [asdict(row) | {"targets": row.targets} for row in self.measured],
            "stages of a /verify, ms": {name: dict(of_set) for name, of_set in self.stage_ms.items()},
        }

    def draw(self) -> Figure:
        """Return three pictures: the time of each stage, the throughput and the latency by clients."""
        figure = new_figure(14, 4.5)
        stages, throughput, latency = figure.subplots(1, 3)
        _draw_stages(stages, self.measured)
        _draw_throughput(throughput, self.measured)
        _draw_latency(latency, self.measured)
        return figure


def table(report: SpeedReport, title: str) -> Table:
    """Return the table for a terminal."""
    header, *rows = report.rows()
    shown = Table(*header, title=title)
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        shown.add_row(*row, end_section=following is None or following[0] != row[0])
    return shown


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as text."""
    return (
        row.photographs,
        row.name if row.kind == STAGE else row.kind,
        str(row.parallel),
        (f"{row.count}" + (f", {row.refused} refused" if row.refused else "")) if row.count or row.refused else "",
        *(_number(value) for value in (row.p50_ms, row.p95_ms, row.p99_ms, row.per_s, row.cpu_ms)),
        "" if row.peak_mib is None else f"{row.resident_mib:.0f} / {row.peak_mib:.0f}",
        _shares(row.batches),
        ", ".join(f"{name} {value:.2f}" for name, value in row.ratios.items()),
        ", ".join(row.targets),
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _shares(batches: Mapping[str, int]) -> str:
    calls = sum(batches.values())
    return ", ".join(f"{size}: {100 * count / calls:.0f} %" for size, count in batches.items())


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.photographs for row in rows if row.kind == SERVICE))


def _draw_stages(axes: Axes, rows: Sequence[Row]) -> None:
    names = _names(rows)
    times = {(row.photographs, row.name): row.p50_ms or 0.0 for row in rows if row.kind == STAGE}
    totals = {name: sum(ms for (of, _), ms in times.items() if of == name) for name in names}
    left = dict.fromkeys(names, 0.0)
    for stage in dict.fromkeys(stage for of, stage in times if of in names):
        widths = [100 * times.get((name, stage), 0.0) / totals[name] for name in names]
        axes.barh(names, widths, left=list(left.values()), label=stage)
        left = {name: left[name] + width for name, width in zip(names, widths, strict=True)}
    axes.set(xlabel="% of the time of a photograph, one thread", title="each stage alone")
    axes.legend(fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.15))


def _draw_throughput(axes: Axes, rows: Sequence[Row]) -> None:
    for number, name in enumerate(_names(rows)):
        served = [row for row in rows if row.photographs == name and row.kind == SERVICE]
        axes.plot(
            [row.parallel for row in served], [row.per_s or 0.0 for row in served], "o-", color=f"C{number}", label=name
        )
        limit = next(row for row in reversed(rows) if row.photographs == name and row.kind == ALONE)
        axes.axhline(limit.per_s or 0.0, color=f"C{number}", linestyle="--")
    axes.set(xscale="log", xlabel="clients", ylabel="/verify a second", title="throughput; dashed: models alone")
    axes.legend(fontsize=8)


def _draw_latency(axes: Axes, rows: Sequence[Row]) -> None:
    for number, name in enumerate(_names(rows)):
        served = [row for row in rows if row.photographs == name and row.kind == SERVICE]
        clients = [row.parallel for row in served]
        axes.plot(clients, [row.p50_ms or 0.0 for row in served], "o-", color=f"C{number}", label=f"{name}: p50")
        axes.plot(clients, [row.p99_ms or 0.0 for row in served], "o:", color=f"C{number}", label=f"{name}: p99")
    axes.set(xscale="log", yscale="log", xlabel="clients", ylabel="ms", title="latency")
    axes.legend(fontsize=8)
