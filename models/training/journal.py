"""The journal of a run: one line of JSON for each entry, the scalars of TensorBoard, and a picture of the curves."""

import json
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from matplotlib.figure import Figure
from torch.utils.tensorboard import SummaryWriter

from models.files import write_atomically

JournalValues: TypeAlias = dict[str, float]
"""Numbers by name, such as `loss`."""

Entry: TypeAlias = dict[str, float]
"""The journal values of a step, and the number of the step under the name `step`."""

JOURNAL = "journal.jsonl"
PICTURE = "curves.png"

PANELS = (
    ("loss", "loss", "loss"),
    ("people not trained on", "VAL at FMR 0.001", "val_at_fmr_1e-3"),
    ("people not trained on", "threshold at FMR 0.001 (squared L2)", "threshold_at_fmr_1e-3_sq_l2"),
)
"""The panels of the picture: title, label of the y axis, name of the value."""


class Journal:
    """Writes the journal of a run: FOLDER/journal.jsonl, FOLDER/tensorboard and FOLDER/curves.png. A context manager.

    start: the step that the run continues from. The entries of later steps are removed, because the run repeats them.
    """

    def __init__(self, folder: Path, start: int) -> None:
        self._path = folder / JOURNAL
        self._picture = folder / PICTURE
        self._entries = [entry for entry in read_journal(self._path) if entry["step"] <= start]
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

    def write(self, step: int, values: JournalValues) -> None:
        """Append an entry. step: how many steps are done."""
        self._entries.append({"step": step, **values})
        self._file.write(json.dumps(self._entries[-1]) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def draw_curves(self) -> None:
        """Write the picture of the curves."""
        write_atomically(self._picture, draw_curves(self._entries))


def read_journal(path: Path) -> list[Entry]:
    """Return the entries of a journal, or an empty list if the file does not exist."""
    if not path.exists():
        return []
    # If the process was killed, the last line may be incomplete.
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.endswith("}")]


def draw_curves(entries: list[Entry]) -> bytes:
    """Return a PNG of loss, VAL and threshold over the steps."""
    figure = Figure(figsize=(12, 3.5), layout="constrained")
    for axes, (title, label, name) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        points = [(entry["step"], entry[name]) for entry in entries if name in entry]
        axes.plot(*zip(*points, strict=True) if points else ([], []), linewidth=1)
        axes.set(xlabel="step", ylabel=label, title=title)
        axes.grid(visible=True, alpha=0.3)
    buffer = BytesIO()
    figure.savefig(buffer, dpi=110, format="png")
    return buffer.getvalue()


@dataclass(slots=True)
class RunningMeans:
    """The means of journal values over the steps between two entries."""

    sums: JournalValues = field(default_factory=dict)
    count: int = 0

    def add(self, values: JournalValues) -> None:
        """Add the values of one step."""
        self.count += 1
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def take(self) -> JournalValues:
        """Return the means of all steps since the last call, and start again."""
        means = {name: total / self.count for name, total in self.sums.items()}
        self.sums, self.count = {}, 0
        return means
