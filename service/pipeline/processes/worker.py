"""The worker process: it calls the functions that it is sent, one after the other.

It imports nothing but what these functions need. A thread reads its standard input. When that ends, the service has
ended, even if it was killed. Then this process ends at once, whatever it is doing.
"""

import os
import pickle
import signal
import sys
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO

LENGTH_BYTES = 8
"""A message is its length, big-endian, and then a pickle."""


def main() -> None:
    """Answer calls until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group, while the service finishes its requests
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    calls: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_read_calls, args=(sys.stdin.buffer, calls), daemon=True).start()
    while True:
        answer = _answer(calls.get())
        answers.write(len(answer).to_bytes(LENGTH_BYTES) + answer)
        answers.flush()


def _read_calls(source: BinaryIO, calls: SimpleQueue[bytes]) -> None:
    while length := source.read(LENGTH_BYTES):
        calls.put(source.read(int.from_bytes(length)))
    os._exit(0)


def _answer(call: bytes) -> bytes:
    """Call the function. Return the pickle of its result, or of its error."""
    try:
        function, arguments = pickle.loads(call)  # noqa: S301  # the service that started this process has sent it
        return pickle.dumps((True, function(*arguments)), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001  # the service raises it
        return pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)


if __name__ == "__main__":
    main()
