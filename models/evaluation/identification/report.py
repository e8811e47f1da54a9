"""The report of `facenet-models evaluate identification`: rank-1, FNIR at three FPIRs, the DET curve, the promises."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.evaluation.identification.open_set import Interval, OpenSet, Searches
from models.evaluation.identification.promises import Promise, measure_promises
from models.evaluation.reports.report import Row, new_figure
from service.model_files.calibration import Calibration

FPIRS = (0.1, 0.01, 0.001)
POINTS_PER_DECADE = 20


@dataclass(frozen=True, slots=True)
class Rate:
    """The FNIR at one FPIR, and the threshold that was measured for this FPIR on the strangers themselves.

    everybody: the FNIR if no stranger is set aside.
    """

    fpir: float
    threshold_sq_l2: float
    fnir: float
    interval: Interval
    everybody: float


@dataclass(frozen=True, slots=True, eq=False)
class IdentificationReport:
    """The result of one model.

    searches: without the strangers who are set aside.
    rates: the FPIRs for which there are enough strangers.
    promises: empty if the card has no calibration.
    """

    model: str
    references: int
    aside: int
    searches: Searches
    rank_1_interval: Interval
    rates: tuple[Rate, ...]
    promises: tuple[Promise, ...]

    @property
    def title(self) -> str:
        """What was measured, in words."""
        return (
            f"{self.model}: {self.references:,} references, {len(self.searches.owners):,} probes, "
            f"{len(self.searches.strangers):,} strangers ({self.aside} set aside)"
        )

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        rank_1 = ("rank-1", "", "", _percent(self.searches.rank_1), _range(self.rank_1_interval))
        return [
            (self.title, "threshold", "FPIR", "measured", "95 %"),
            rank_1,
            *self._rate_rows(),
            *self._promise_rows(),
        ]

    def numbers(self) -> dict[str, object]:
        """Return the measured numbers by name, and the points of the DET curve."""
        fpir, fnir = self._det()
        return {
            "references": self.references,
            "probes": len(self.searches.owners),
            "strangers": len(self.searches.strangers),
            "strangers_set_aside": self.aside,
            "rank_1": self.searches.rank_1,
            "rank_1_interval": self.rank_1_interval,
            "rates": [asdict(rate) for rate in self.rates],
            "promises": [asdict(promise) for promise in self.promises],
            "det": {"fpir": fpir.tolist(), "fnir": fnir},
        }

    def draw(self) -> Figure:
        """Draw the DET curve, and the measured FPIR against the size of the gallery."""
        figure = new_figure(11.0 if self.promises else 6.0)
        figure.suptitle(self.title, fontsize=9)
        panels = [self._draw_det, self._draw_promises] if self.promises else [self._draw_det]
        for place, draw in enumerate(panels, start=1):
            draw(figure.add_subplot(1, len(panels), place))
        return figure

    def _rate_rows(self) -> Iterator[Row]:
        for rate in self.rates:
            threshold, fpir = f"{rate.threshold_sq_l2:.3f}", f"{rate.fpir:g}"
            yield "FNIR at this FPIR", threshold, fpir, _percent(rate.fnir), _range(rate.interval)
            if self.aside:
                yield "FNIR if nobody is set aside", "", fpir, _percent(rate.everybody), ""

    def _promise_rows(self) -> Iterator[Row]:
        for one in self.promises:
            name = f"promised FPIR {one.promised_fpir:g}, {one.references:,} references"
            if one.threshold_sq_l2 is None or one.fpir is None or one.fnir is None:
                yield name, "not measured", "", "", ""
            else:
                yield name, f"{one.threshold_sq_l2:.3f}", f"{one.fpir:.4f}", f"FNIR {_percent(one.fnir)}", ""

    def _det(self) -> tuple[NDArray[np.float64], list[float]]:
        """Return FPIR, from that of a single stranger to 1, and FNIR."""
        strangers = len(self.searches.strangers)
        fpir = np.geomspace(1 / strangers, 1, round(POINTS_PER_DECADE * np.log10(strangers)) + 1)
        return fpir, [self.searches.fnir_at_fpir(one) for one in fpir]

    def _draw_det(self, axes: Axes) -> None:
        fpir, fnir = self._det()
        axes.plot(fpir, [100 * one for one in fnir], label=self.model)
        low, high = ([100 * abs(rate.interval[side] - rate.fnir) for rate in self.rates] for side in (0, 1))
        axes.errorbar(
            [rate.fpir for rate in self.rates],
            [100 * rate.fnir for rate in self.rates],
            [low, high],
            fmt="o",
            capsize=3,
        )
        axes.set(xscale="log", yscale="log", xlabel="FPIR", ylabel="FNIR (%)")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.legend(loc="upper right")  # "best" would look at every point of the curve

    def _draw_promises(self, axes: Axes) -> None:
        for fpir in FPIRS:
            measured = {one.references: one.fpir for one in self.promises if one.promised_fpir == fpir and one.fpir}
            (line,) = axes.plot([*measured], [*measured.values()], marker="o")
            axes.axhline(fpir, color=line.get_color(), linestyle="--", label=f"promised {fpir:g}")
        axes.set(xscale="log", yscale="log", xlabel="references", ylabel="FPIR: measured (line), promised (dashed)")
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.legend(loc="lower left")


def measure_identification(model: str, people: OpenSet, calibration: Calibration | None) -> IdentificationReport:
    """Measure an open set. calibration: that of the card."""
    everybody = people.search_everybody()
    searches = everybody.without(people.aside)
    return IdentificationReport(
        model=model,
        references=len(people.references),
        aside=int(people.aside.sum()),
        searches=searches,
        rank_1_interval=searches.interval(lambda drawn: drawn.rank_1),
        rates=tuple(_rate(searches, everybody, fpir) for fpir in FPIRS if searches.measures(fpir)),
        promises=() if calibration is None else tuple(measure_promises(calibration, people, FPIRS)),
    )


def _rate(searches: Searches, everybody: Searches, fpir: float) -> Rate:
    return Rate(
        fpir=fpir,
        threshold_sq_l2=searches.threshold_at_fpir(fpir),
        fnir=searches.fnir_at_fpir(fpir),
        interval=searches.interval(lambda drawn: drawn.fnir_at_fpir(fpir)),
        everybody=everybody.fnir_at_fpir(fpir),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _range(interval: Interval) -> str:
    low, high = interval
    return f"{100 * low:.2f} to {100 * high:.2f} %"
