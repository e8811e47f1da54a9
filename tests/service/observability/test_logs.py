"""What a library may write to the log. The logs are those of a process of their own, because logging is global."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT

PRIVATE = "/home/ada/rumpelstiltskin"


def log_of(code: str, style: str = "json") -> str:
    """Return the standard error of this code. `secret` is a text that may not be in it."""
    start = f"import logging, warnings; from service.observability.logs import configure_logs; secret = {PRIVATE!r}"
    program = f"{start}\nconfigure_logs('debug', {style!r})\n{code}"
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stderr


def event_of(code: str) -> Any:
    (line,) = log_of(code).splitlines()
    return json.loads(line)


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize(
    "code",
    [
        "logging.getLogger('lib').warning('File %s is odd', secret)",
        "logging.getLogger('lib').error(f'Task failed\\nfuture: {secret}')",
        "logging.getLogger('lib').error('Here', stack_info=True)",
        "try:\n    open(secret)\nexcept OSError:\n    logging.getLogger('lib').exception('Failed')",
        "warnings.warn(f'File {secret} is odd')",
        "logging.getLogger('lib').info(secret)",
        "import threading\nthread = threading.Thread(target=open, args=(secret,))\nthread.start()\nthread.join()",
    ],
)
def test_no_value_no_path_and_no_traceback_of_a_library_is_written(code: str, style: str) -> None:
    log = log_of(code, style)
    assert "rumpelstiltskin" not in log
    assert "Traceback" not in log
    assert not re.search(r"\.py\b", log)


def test_a_message_of_a_library_keeps_its_text_and_the_place_of_the_error() -> None:
    event = event_of("try:\n    open(secret)\nexcept OSError:\n    logging.getLogger('lib').exception('No %s', secret)")
    assert (event["event"], event["logger"], event["level"]) == ("No %s", "lib", "error")
    assert (event["error"], event["at"]) == ("FileNotFoundError", ["__main__:4"])


def test_a_warning_of_python_is_written_as_its_kind() -> None:
    assert event_of("warnings.warn(secret, RuntimeWarning)")["category"] == "RuntimeWarning"


def test_an_event_of_the_service_is_a_line_with_its_level_and_logger() -> None:
    event = event_of("import structlog\nstructlog.stdlib.get_logger('service.a').info('done', count=3)")
    assert (event["event"], event["level"], event["logger"], event["count"]) == ("done", "info", "service.a", 3)


def test_an_event_below_the_level_is_not_written() -> None:
    code = "import structlog\nlog = structlog.stdlib.get_logger('service.a')"
    assert log_of(f"configure_logs('warning', 'json')\n{code}\nlog.info('done')") == ""


def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    code = "import structlog, sys\nsys.stderr.close()\nstructlog.stdlib.get_logger('service.a').info('done')"
    assert log_of(code) == ""
