"""What the work on a request decided or changed, for its line in the audit log.

The outcome is found by a context variable, so tasks and threads that work on the same request find it too. Outside a
request, nothing is noted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(slots=True)
class Outcome:
    """What is known of a request until now.

    key: the id of the access key. changed_key: the id of the key that the request creates or changes.
    code: the code of the problem, if the request was refused.
    model: the id of the loaded model.
    counts: the results of a decision, such as {"match": 1, "unknown": 2}.
    collection: the id in the options, if it is not in the path.
    subjects: collection and subject of each person that the request is about.
    stored: whether something was committed to the records.
    """

    key: str | None = None
    changed_key: str | None = None
    code: str | None = None
    model: str | None = None
    threshold_sq_l2: float | None = None
    counts: dict[str, int] = field(default_factory=dict)
    collection: str | None = None
    subjects: list[tuple[str, str]] = field(default_factory=list)
    stored: bool = False


_current: ContextVar[Outcome | None] = ContextVar("outcome", default=None)


@contextmanager
def request_outcome() -> Iterator[Outcome]:
    """Collect the outcome of one request."""
    outcome = Outcome()
    token = _current.set(outcome)
    try:
        yield outcome
    finally:
        _current.reset(token)


def note_key(key: str | None) -> None:
    """Note the access key of the request."""
    if outcome := _current.get():
        outcome.key = key


def note_changed_key(key: str) -> None:
    """Note the key that the request creates, changes, rotates or revokes."""
    if outcome := _current.get():
        outcome.changed_key = key


def note_problem(code: str) -> None:
    """Note why the request was refused."""
    if outcome := _current.get():
        outcome.code = code


def note_decision(model: str, threshold_sq_l2: float | None = None, **counts: int) -> None:
    """Note a decision: the id of the loaded model, the threshold, and how often each result came."""
    if outcome := _current.get():
        outcome.model, outcome.threshold_sq_l2, outcome.counts = model, threshold_sq_l2, counts


def note_collection(collection: str) -> None:
    """Note the collection of a request whose path does not name it."""
    if outcome := _current.get():
        outcome.collection = collection


def note_subject(collection: str, subject: str) -> None:
    """Note that the request is about this subject. The log has a pseudonym only."""
    outcome = _current.get()
    if outcome is not None and (collection, subject) not in outcome.subjects:
        outcome.subjects.append((collection, subject))


def note_stored() -> None:
    """Note that the request changed the records."""
    if outcome := _current.get():
        outcome.stored = True
