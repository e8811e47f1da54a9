import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from models.evaluation.reports.report import Row, new_figure, write_report


@dataclass(frozen=True)
class _Measured:
    value: float

    def rows(self) -> list[Row]:
        return [("quantity", "measured"), ("value", f"{self.value}")]

    def numbers(self) -> dict[str, object]:
        return {"value": self.value}

    def draw(self) -> Figure:
        figure = new_figure()
        figure.subplots().plot([0, 1], [0, self.value])
        return figure


class _Undrawable(_Measured):
    def draw(self) -> Figure:
        raise ValueError("no picture")


def test_a_report_is_written_as_numbers_with_their_settings_and_a_picture(tmp_path: Path) -> None:
    write_report(_Measured(0.5), tmp_path / "out", "half", {"models": ("sface",), "command": "half"})

    content = json.loads((tmp_path / "out" / "half.json").read_text("utf-8"))
    assert content == {"settings": {"models": ["sface"], "command": "half"}, "figures": {"value": 0.5}}
    assert (tmp_path / "out" / "half.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("report", [_Undrawable(0.5), _Measured(float("nan"))])
def test_nothing_is_written_if_the_numbers_or_the_picture_fail(report: _Measured, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no picture|not JSON compliant"):
        write_report(report, tmp_path / "out", "half", {})

    assert not (tmp_path / "out").exists()
