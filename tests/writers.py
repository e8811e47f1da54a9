"""Clients that enrol while the service is killed: what it acknowledged must be there afterwards."""

import itertools
import threading
import uuid
from typing import Any

import httpx
import numpy as np

WRITERS = 4
FACES_AT_ONCE = 5
KILLED_AFTER_ANSWERS = 12


class Writers:
    """Clients that enrol embeddings until the service is gone, and remember what it acknowledged.

    acknowledged: the embedding of each face that was, by subject.
    """

    def __init__(self, url: str, model: str) -> None:
        self._url = url
        self._model = model
        self._enough = threading.Semaphore(0)
        self.acknowledged: dict[str, list[list[float]]] = {}
        self._threads = [threading.Thread(target=self._enrol) for _ in range(WRITERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Until some were acknowledged and others are under way."""
        for _ in range(KILLED_AFTER_ANSWERS):
            assert self._enough.acquire(timeout=60)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)

    def _enrol(self) -> None:
        rng = np.random.default_rng()
        with httpx.Client(base_url=self._url, timeout=30) as client:
            for _ in itertools.count():
                vectors = rng.normal(size=(FACES_AT_ONCE, 128))
                unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).tolist()
                subject = uuid.uuid4().hex
                try:
                    client.put(f"/collections/default/subjects/{subject}", json={})
                    answer = client.post(f"/collections/default/subjects/{subject}/faces", json=self._body(unit))
                except httpx.TransportError:
                    return
                if answer.status_code == 201:
                    self.acknowledged[subject] = unit
                    self._enough.release()

    def _body(self, unit: list[list[float]]) -> dict[str, Any]:
        return {"images": [{"embedding": vector, "model": self._model} for vector in unit]}


def check(url: str, acknowledged: dict[str, list[list[float]]]) -> None:
    """Every subject has all faces of its one POST or none, and every acknowledged face is found as its own."""
    with httpx.Client(base_url=url, timeout=30) as client:
        model = client.get("/model").json()["id"]
        faces = {one["id"]: one["faces"] for one in subjects(client)}
        assert set(faces.values()) <= {0, FACES_AT_ONCE}
        for subject, vectors in acknowledged.items():
            assert faces[subject] == FACES_AT_ONCE
            body = {"image": {"embedding": vectors[0], "model": model}}
            answer = client.post("/identify", params={"k": 1, "threshold": 0.01}, json=body).json()
            assert answer["faces"][0]["subject"] == subject


def subjects(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/collections/default/subjects", params={"limit": "1000", **cursor}).json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}
