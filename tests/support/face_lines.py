"""Lines of a bulk enrolment."""

import base64
import json
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

NDJSON = {"Content-Type": "application/x-ndjson"}
Json = dict[str, Any]


def unit_vectors(count: int, seed: int = 0, dimension: int = 128) -> NDArray[np.float32]:
    """Return (count, dimension) float32 of unit length. The same seed gives the same vectors."""
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), "<f4")


def face_line(subject: str, vector: NDArray[np.float32], model: str, **fields: Any) -> bytes:
    """Return a line with the embedding as numbers."""
    return json.dumps({"subject": subject, "model": model, "embedding": vector.tolist(), **fields}).encode()


def base64_line(subject: str, vector: NDArray[np.float32], model: str, **fields: Any) -> bytes:
    """Return a line with the embedding in base64."""
    text = base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return json.dumps({"subject": subject, "model": model, "embedding_base64": text, **fields}).encode()


def results_of(answer: httpx.Response) -> list[Json]:
    """Return the results of an answer."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def statuses_of(answer: httpx.Response) -> list[str]:
    """Return the status of each result, or the code of a refused line."""
    return [str(result.get("code", result["status"])) for result in results_of(answer)]
