"""Chromium without a window, controlled by the Chrome DevTools Protocol over two pipes. It needs no driver."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import IO, Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_S = 60
PLACE_PIPES = (
    "import os, sys; commands, messages = os.dup(int(sys.argv[1])), os.dup(int(sys.argv[2])); "
    "os.dup2(commands, 3); os.dup2(messages, 4); [os.set_inheritable(pipe, True) for pipe in (3, 4)]; "
    "os.execv(sys.argv[3], sys.argv[3:])"
)
"""Puts the pipes where the browser expects them: 3 for commands, 4 for messages."""


@dataclass
class Browser:
    """A browser with one page. console: what the page has written to its console, such as refused scripts."""

    commands: IO[bytes]
    messages: IO[bytes]
    session: str = ""
    console: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def open_page(self) -> None:
        """Open an empty page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Log.enable")
        self.call("Runtime.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        number = next(self.numbers)
        session = {"sessionId": self.session} if self.session else {}
        self.commands.write(json.dumps({"id": number, "method": method, "params": parameters, **session}).encode())
        self.commands.write(b"\0")
        self.commands.flush()
        while True:
            message = self._read()
            if message.get("id") == number:
                assert "error" not in message, message
                return dict(message["result"])
            if message.get("method") == "Log.entryAdded":
                self.console.append(message["params"]["entry"]["text"])

    def _read(self) -> dict[str, Any]:
        received = bytearray()
        while not received.endswith(b"\0"):
            byte = self.messages.read(1)
            assert byte, "the browser has ended"
            received += byte
        return dict(json.loads(received[:-1]))

    def run(self, script: str) -> Any:
        """Run JavaScript in the page, and return its value."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def choose_file(self, selector: str, file: Path) -> None:
        """Choose a file in a field of the page."""
        field = self.call("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")["result"]
        self.call("DOM.setFileInputFiles", files=[str(file)], objectId=field["objectId"])

    def wait_until(self, script: str) -> None:
        """Wait until the value of the JavaScript is true."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while not self.run(script):
            assert time.monotonic() < deadline_s, (script, self.console)

    def visit(self, url: str) -> None:
        """Show the page at this address, and wait until it is loaded."""
        self.call("Page.navigate", url=url)
        self.wait_until(f"document.readyState === 'complete' && location.href.startsWith({json.dumps(url)})")


def find_chromium() -> str | None:
    """Return the path of Chromium. None if it is not installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def run_browser(profile: Path, *more_options: str) -> Iterator[Browser]:
    """Start Chromium with an empty profile. Skip the test if it is not installed."""
    command = find_chromium()
    if command is None:
        pytest.skip("Chromium is not installed")
    (read_commands, write_commands), (read_messages, write_messages) = os.pipe(), os.pipe()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
    wrapper = [sys.executable, "-c", PLACE_PIPES, str(read_commands), str(write_messages)]
    with (
        subprocess.Popen(
            [*wrapper, command, *options, *more_options],
            pass_fds=(read_commands, write_messages),
            stderr=subprocess.DEVNULL,
        ) as process,
        os.fdopen(write_commands, "wb") as commands,
        os.fdopen(read_messages, "rb") as messages,
    ):
        os.close(read_commands)
        os.close(write_messages)
        browser = Browser(commands, messages)
        browser.open_page()
        yield browser
        process.terminate()
