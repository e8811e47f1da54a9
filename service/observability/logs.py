"""Structured logs on standard error: one line for each event, with the id of the request."""

import logging
import sys
import threading
import traceback
import warnings
from contextlib import suppress
from types import TracebackType

import structlog

_log = structlog.stdlib.get_logger("service.process")


class StderrLogger:
    """Writes events of the service, each as a line on standard error.

    The records and handlers of `logging` would take three times as long. Libraries use them.
    """

    _lock = threading.Lock()

    def __init__(self, name: str) -> None:
        self.name = name

    def write(self, line: str) -> None:
        """Write a line. If it cannot be written, it is lost: no request fails because of its log."""
        with self._lock, suppress(OSError, ValueError):
            sys.stderr.write(f"{line}\n")

    debug = info = warning = error = critical = write


def configure_logs(level: str, style: str) -> None:
    """Send the events of the service, and warnings of libraries, to standard error.

    Of a library, only warnings and errors are written. Their values, warnings of Python and tracebacks can hold paths
    and input, so they are left out.
    style: `json` or `console`.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if style == "console"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, last],
        logger_factory=StderrLogger,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                last,
            ],
            foreign_pre_chain=[_leave_out_values, *shared],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    warnings.showwarning = _log_warning  # type: ignore[assignment]  # it is called by position
    threading.excepthook = _log_failed_thread


def places(trace: TracebackType | None) -> list[str]:
    """Return the module and line of each frame, without the message of the error and without a path."""
    return [f"{frame.f_globals.get('__name__')}:{line}" for frame, line in traceback.walk_tb(trace)]


def _leave_out_values(
    _logger: logging.Logger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Keep the text that the authors of a library wrote, and the place of an error. The values are not filled in."""
    event["event"] = str(event["_record"].msg).partition("\n")[0]
    event.pop("stack_info", None)
    error = event.pop("exc_info", None)
    if error:
        event.update(error=error[0].__name__, at=places(error[2]))
    return event


def _log_warning(_message: Warning | str, category: type[Warning], _filename: str, line: int, *_: object) -> None:
    """Log the kind of a warning of Python. Otherwise Python prints its text, the path of the file and the line."""
    _log.warning("warned", category=category.__name__, line=line)


def _log_failed_thread(failure: threading.ExceptHookArgs) -> None:
    """Log an error that ended a thread. Otherwise Python prints its traceback."""
    _log.error("thread_failed", error=failure.exc_type.__name__, at=places(failure.exc_traceback))
