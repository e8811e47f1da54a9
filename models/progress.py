"""How far long work is: one bar on standard error, which stays out of what a command prints."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn


@contextmanager
def counted(total: int, title: str) -> Iterator[Callable[[], None]]:
    """Gives what is to be called after each of `total` steps. Where there is no terminal, the last state is printed."""
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not total) as progress:
        task = progress.add_task(title, total=total)
        yield lambda: progress.advance(task)
