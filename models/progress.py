"""A progress bar on standard error. So standard output holds only the results of a command."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn


@contextmanager
def progress_bar(total: int, title: str) -> Iterator[Callable[[], None]]:
    """Show a progress bar of `total` steps. Yields the function to call after each step.

    If standard error is not a terminal, only the last state is printed. If `total` is 0, nothing is shown.
    """
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not total) as progress:
        task = progress.add_task(title, total=total)
        yield lambda: progress.advance(task)
