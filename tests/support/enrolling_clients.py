"""Clients that enrol faces while the service is killed. Every acknowledged face must exist after the restart."""

import itertools
import threading
import uuid
from typing import Any

import httpx
import numpy as np

CLIENTS = 4
FACES_PER_REQUEST = 5
REQUESTS_BEFORE_KILL = 12


class EnrollingClients:
    """Clients that enrol embeddings until the service does not answer any more.

    acknowledged: the embeddings of each acknowledged request, by subject.
    """

    def __init__(self, url: str, model: str) -> None:
        self._url = url
        self._model = model
        self._acknowledged_requests = threading.Semaphore(0)
        self.acknowledged: dict[str, list[list[float]]] = {}
        self._threads = [threading.Thread(target=self._enrol) for _ in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait_for_acknowledgements(self) -> None:
        """Wait until REQUESTS_BEFORE_KILL requests were acknowledged. Others are then still in progress."""
        for _ in range(REQUESTS_BEFORE_KILL):
            assert self._acknowledged_requests.acquire(timeout=60)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)

    def _enrol(self) -> None:
        rng = np.random.default_rng()
        with httpx.Client(base_url=self._url, timeout=30) as client:
            for _ in itertools.count():
                vectors = rng.normal(size=(FACES_PER_REQUEST, 128))
                embeddings = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).tolist()
                subject = uuid.uuid4().hex
                try:
                    client.put(f"/collections/default/subjects/{subject}", json={})
                    answer = client.post(f"/collections/default/subjects/{subject}/faces", json=self._body(embeddings))
                except httpx.TransportError:
                    return
                if answer.status_code == 201:
                    self.acknowledged[subject] = embeddings
                    self._acknowledged_requests.release()

    def _body(self, embeddings: list[list[float]]) -> dict[str, Any]:
        return {"images": [{"embedding": embedding, "model": self._model} for embedding in embeddings]}


def check_acknowledged_faces(url: str, acknowledged: dict[str, list[list[float]]]) -> None:
    """Check that every subject has all faces of its request or none, and that every acknowledged face is identified."""
    with httpx.Client(base_url=url, timeout=30) as client:
        model = client.get("/model").json()["id"]
        face_counts = {subject["id"]: subject["faces"] for subject in list_subjects(client)}
        assert set(face_counts.values()) <= {0, FACES_PER_REQUEST}
        for subject, embeddings in acknowledged.items():
            assert face_counts[subject] == FACES_PER_REQUEST
            body = {"image": {"embedding": embeddings[0], "model": model}}
            answer = client.post("/identify", params={"k": 1, "threshold": 0.01}, json=body).json()
            assert answer["faces"][0]["subject"] == subject


def list_subjects(client: httpx.Client) -> list[dict[str, Any]]:
    """Return every subject of the default collection, from all pages of the list."""
    subjects: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/collections/default/subjects", params={"limit": "1000", **cursor}).json()
        subjects += page["items"]
        if page["next_cursor"] is None:
            return subjects
        cursor = {"cursor": page["next_cursor"]}
