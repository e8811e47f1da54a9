"""The errors of the client.

    FacenetError
    ├── RequestRefused      the service refused the request; `code` says why
    ├── Unreachable         no service answers, or not in time
    ├── UnexpectedAnswer    something else than the service answered, or an incompatible version of it
    └── KeyUnreadable       the file of an access key cannot be read

A wrong argument raises TypeError or ValueError. A photograph that cannot be read raises OSError.
"""

from collections.abc import Iterator

from facenet_client.schemas import Problem


class FacenetError(Exception):
    """The root of all errors of the client."""


class RequestRefused(FacenetError):
    """The service refused the request.

    problem: the problem document of the answer (RFC 9457).
    retry_after_s: when the same request may succeed. None if the service does not say.
    request_id: the id of the request in the log of the service. None if a proxy refused it.
    """

    def __init__(self, problem: Problem, retry_after_s: float | None = None, request_id: str | None = None) -> None:
        super().__init__(problem, retry_after_s, request_id)
        self.problem = problem
        self.retry_after_s = retry_after_s
        self.request_id = request_id

    @property
    def code(self) -> str:
        """The kind of the problem, such as `no_face`. docs/troubleshooting.md of the service lists all kinds."""
        return self.problem.code

    @property
    def detail(self) -> str:
        """What is wrong, and what to do, in a sentence."""
        return self.problem.detail

    @property
    def status(self) -> int:
        """The status code of HTTP."""
        return self.problem.status

    def __str__(self) -> str:
        return " ".join([f"{self.code}: {self.detail}", *_faults(self.problem)])


def _faults(problem: Problem) -> Iterator[str]:
    """Describe what is wrong with single fields, unless `detail` does, and with single photographs of an enrolment."""
    for fault in problem.errors:
        text = f"{fault.where}: {fault.message}"
        if text.rstrip(".") not in problem.detail:
            yield text
    for number, result in enumerate(problem.results, start=1):
        if result.status == "refused":
            yield f"Image {number}: {result.code}: {result.detail}"


class Unreachable(FacenetError):
    """No service answers at the address, or not in time."""


class UnexpectedAnswer(FacenetError):
    """The answer is not one of this service: something else answered, or a version that does not fit the client."""


class KeyUnreadable(FacenetError):
    """The file of an access key cannot be read, or does not hold one line with a key."""
