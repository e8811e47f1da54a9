"""The list of settings, for a terminal of any width and for other programs. No value is cut."""

import shutil
import textwrap
from collections.abc import Iterator

from service.commands.output import printable
from service.settings.environment import Settings
from service.settings.in_force import texts_in_force

INDENT = "    "
MIN_COLUMNS = 40


def settings_lines(settings: Settings, columns: int) -> Iterator[str]:
    """Yield the name and the value of each setting, and below it what it means. columns: of the terminal."""
    for variable, text in texts_in_force(settings):
        yield f"{variable.name} = {printable(text)}"
        yield textwrap.fill(
            variable.sentence,
            max(columns, MIN_COLUMNS),
            initial_indent=INDENT,
            subsequent_indent=INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )


def terminal_columns() -> int:
    """Return the columns of the terminal. A pipe has 80."""
    return shutil.get_terminal_size().columns
