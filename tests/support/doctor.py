"""`facenet doctor`, run in this process, and what it has found."""

from typer.testing import CliRunner, Result

from service.__main__ import app


def run_doctor() -> Result:
    """Run the command with the settings of the environment."""
    return CliRunner().invoke(app, ["doctor"])


def line_of(output: str, status: str, about: str) -> str:
    """Return the one line with this status about this."""
    (line,) = (line for line in output.splitlines() if line.startswith(f"{status:6} {about}: "))
    return line


def fault(output: str, about: str) -> str:
    """Return the one fault about this."""
    return line_of(output, "fault", about)
