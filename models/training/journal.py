"""What a run says of itself: TensorBoard's scalars, a line of JSON for each entry, and a picture of its curves."""

import json
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from matplotlib.figure import Figure
from torch.utils.tensorboard import SummaryWriter

from models.files import write_atomically

Figures: TypeAlias = dict[str, float]
Entry: TypeAlias = dict[str, float]
"""Figures by name, with their `step`."""

JOURNAL = "journal.jsonl"
PICTURE = "curves.png"

PANELS = (
    ("loss", "loss", ("loss",)),
    ("people not trained on", "VAL at FMR 0.001", ("val_at_fmr_1e-3",)),
    ("people not trained on", "threshold at FMR 0.001 (squared L2)", ("threshold_at_fmr_1e-3_sq_l2",)),
)


class Journal:
    """Appends to FOLDER/journal.jsonl; what a resumed run does again is struck out first. A context manager."""

    def __init__(self, folder: Path, start: int) -> None:
        self._path = folder / JOURNAL
        self._picture = folder / PICTURE
        self._entries = [entry for entry in read(self._path) if entry["step"] <= start]
        lines = "".join(json.dumps(entry) + "\n" for entry in self._entries)
        write_atomically(self._path, lines.encode())
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=start + 1)
        self._file = self._path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._board.close()

    def write(self, step: int, figures: Figures) -> None:
        """step: how many are done."""
        self._entries.append({"step": step, **figures})
        self._file.write(json.dumps(self._entries[-1]) + "\n")
        self._file.flush()
        for name, value in figures.items():
            self._board.add_scalar(name, value, step)

    def draw(self) -> None:
        """FOLDER/curves.png anew."""
        write_atomically(self._picture, drawn(self._entries))


def read(path: Path) -> list[Entry]:
    """The entries of a journal, none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.endswith("}")]


def drawn(entries: list[Entry]) -> bytes:
    """A PNG: loss, VAL and threshold over the steps."""
    figure = Figure(figsize=(12, 3.5), layout="constrained")
    for axes, (title, label, names) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        for name in names:
            points = [(entry["step"], entry[name]) for entry in entries if name in entry]
            axes.plot(*zip(*points, strict=True) if points else ([], []), linewidth=1)
        axes.set(xlabel="step", ylabel=label, title=title)
        axes.grid(visible=True, alpha=0.3)
    buffer = BytesIO()
    figure.savefig(buffer, dpi=110, format="png")
    return buffer.getvalue()


@dataclass(slots=True)
class Means:
    """Figures of single steps, averaged between two entries."""

    sums: Figures = field(default_factory=dict)
    count: int = 0

    def add(self, figures: Figures) -> None:
        """Those of one step."""
        self.count += 1
        for name, value in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def take(self) -> Figures:
        """The means since the last time."""
        means = {name: value / self.count for name, value in self.sums.items()}
        self.sums, self.count = {}, 0
        return means
