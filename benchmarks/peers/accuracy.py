"""The accuracy of each candidate on the same pairs, over HTTP."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import httpx
import numpy as np

from benchmarks import load
from benchmarks.models_alone import PhotographPair
from benchmarks.peers.candidates import Candidate, Enrol, Verdict

CLIENTS = 2
CHUNK = 50
ONE_PERSON = "person"


@dataclass(frozen=True)
class Accuracy:
    """How often a candidate is right.

    refused: pairs without a verdict.
    at_default: right at its own threshold, of all pairs. A refused pair counts as `not the same person`.
    answered_at_default: the same of the answered pairs.
    answered_at_best: the same at the threshold that is best on these pairs.
    """

    name: str
    pairs: int
    refused: int
    at_default: float
    answered_at_default: float
    answered_at_best: float


def measure_accuracy(
    candidate: Candidate,
    pairs: Sequence[PhotographPair],
    same: Sequence[bool],
    generator: ProcessPoolExecutor,
    done: Callable[[int], None],
) -> Accuracy:
    """Ask for all pairs. done: is called with the number of pairs that were asked."""
    verdicts: list[Verdict | None] = []
    for start in range(0, len(pairs), CHUNK):
        chunk = pairs[start : start + CHUNK]
        if candidate.enrol is None:
            verdicts += _ask(candidate, chunk, generator)
        else:
            verdicts += [_enrol_and_ask(candidate, candidate.enrol, pair) for pair in chunk]
        done(len(chunk))
    return rate(candidate.name, verdicts, same)


def _ask(candidate: Candidate, pairs: Sequence[PhotographPair], generator: ProcessPoolExecutor) -> list[Verdict | None]:
    requests = candidate.requests(pairs)
    exchange = generator.submit(load.exchange_all, candidate.server.url, requests, CLIENTS).result()
    return [candidate.read(answer.body) if answer.status == 200 else None for answer in exchange.answers]


def _enrol_and_ask(candidate: Candidate, enrol: Enrol, pair: PhotographPair) -> Verdict | None:
    """Enrol the first photograph, then ask for the second. No other person is enrolled at that time.

    A candidate may compare with others who are enrolled, and then refuse one of two who look alike.
    """
    try:
        enrol(ONE_PERSON, pair[0])
    except httpx.HTTPStatusError:
        return None
    (answer,) = load.exchange_all(candidate.server.url, [candidate.encode(ONE_PERSON, pair)], 1).answers
    return candidate.read(answer.body) if answer.status == 200 else None


def rate(name: str, verdicts: Sequence[Verdict | None], same: Sequence[bool]) -> Accuracy:
    """Compare verdicts with the truth. A verdict is None if the pair was refused."""
    answered = [(verdict, is_same) for verdict, is_same in zip(verdicts, same, strict=True) if verdict is not None]
    right = sum(verdict.verified == is_same for verdict, is_same in answered)
    refused_right = sum(not is_same for verdict, is_same in zip(verdicts, same, strict=True) if verdict is None)
    return Accuracy(
        name=name,
        pairs=len(same),
        refused=len(same) - len(answered),
        at_default=(right + refused_right) / len(same),
        answered_at_default=right / len(answered),
        answered_at_best=_best(
            np.array([verdict.distance for verdict, _ in answered]), np.array([is_same for _, is_same in answered])
        ),
    )


def _best(
    distances: np.ndarray[tuple[int], np.dtype[np.float64]], same: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> float:
    """Return the accuracy at the best threshold: below it, two photographs show the same person."""
    in_order = same[np.argsort(distances, kind="stable")]
    right = np.concatenate([[0], np.cumsum(in_order)]) + np.concatenate([np.cumsum(~in_order[::-1])[::-1], [0]])
    return float(right.max() / len(same))
