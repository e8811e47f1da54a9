"""Clients that change a gallery until the service fails, and remember what was acknowledged."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import numpy as np

COLLECTION = "/collections/default"
FACES_PER_REQUEST = 3
FACES_TO_IDENTIFY = 10
NEW = "new"
"""Stands for the ids of faces whose enrolment was not acknowledged."""


@dataclass
class KnownSubject:
    """What a subject must hold. faces: the embeddings of its faces, by id."""

    name: str | None
    faces: dict[str, list[float]] = field(default_factory=dict)


class Loss(Exception):
    """Something acknowledged is missing, or something deleted is back."""


def require(condition: bool, message: str) -> None:  # noqa: FBT001  # as assert, which benchmarks do not use
    """Raise Loss if the condition is false."""
    if not condition:
        raise Loss(message)


Subjects = dict[str, KnownSubject]
FindFace = Callable[[list[float]], tuple[str, str]]
"""Returns the subject and the id of the face with an embedding."""


class Client:
    """Changes its own subjects, one request after the other, so it knows what must be stored.

    subjects: what is acknowledged. deleted: the ids of deleted subjects.
    unsure: the state if the last request, which was not acknowledged, was stored. None if every request was answered.
    """

    def __init__(self, number: int, seed: int) -> None:
        self.prefix = f"client{number}"
        self._random = random.Random(f"{number} {seed}")  # noqa: S311  # nothing secret
        self._vectors = np.random.default_rng([number, seed])
        self._created = 0
        self.subjects: Subjects = {}
        self.deleted: set[str] = set()
        self.unsure: Subjects | None = None
        self.last_code = ""
        self.acknowledged: Counter[str] = Counter()

    def run(self, url: str) -> None:
        """Change subjects until a request fails."""
        self.last_code = ""
        with httpx.Client(base_url=url, timeout=60) as http:
            try:
                answer = http.get("/model")
                if not answer.is_success:
                    self.last_code = answer.json()["code"]
                    return
                model = answer.json()["id"]
                while not self.last_code:
                    self._change(http, model)
            except httpx.TransportError:
                self.last_code = "no answer"

    def _change(self, http: httpx.Client, model: str) -> None:
        """Make one random change. Before the request, note what it would do."""
        kinds = [self._create, self._create, self._enrol, self._enrol, self._rename, self._move, self._delete]
        after = {subject: KnownSubject(known.name, dict(known.faces)) for subject, known in self.subjects.items()}
        change = self._random.choice(kinds if len(self.subjects) > 1 else kinds[:1])
        method, path, body = change(after, model)
        self.unsure = after
        answer = http.request(method, path, json=body)
        if answer.is_success:
            self._acknowledge(change.__name__, after, answer)
        else:
            self.last_code = answer.json()["code"]
        if answer.is_success or self.last_code == "storage_unavailable":  # which says that nothing was stored
            self.unsure = None

    def _acknowledge(self, kind: str, after: Subjects, answer: httpx.Response) -> None:
        if kind == "_enrol":
            ids = [result["face"] for result in answer.json()["results"]]
            for subject in after.values():
                new = [subject.faces.pop(f"{NEW}{i}") for i in range(FACES_PER_REQUEST) if f"{NEW}{i}" in subject.faces]
                subject.faces |= dict(zip(ids, new, strict=False))
        self.deleted |= self.subjects.keys() - after.keys()
        self.subjects = after
        self.acknowledged[kind.strip("_")] += 1

    def _create(self, after: Subjects, _model: str) -> tuple[str, str, Any]:
        self._created += 1
        subject, name = f"{self.prefix}.{self._created}", self._new_name()
        after[subject] = KnownSubject(name)
        return "PUT", f"{COLLECTION}/subjects/{subject}", {"name": name}

    def _enrol(self, after: Subjects, model: str) -> tuple[str, str, Any]:
        subject = self._choose(after)
        vectors = self._vectors.normal(size=(FACES_PER_REQUEST, 128))
        embeddings = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).tolist()
        after[subject].faces |= {f"{NEW}{i}": embedding for i, embedding in enumerate(embeddings)}
        images = [{"embedding": embedding, "model": model} for embedding in embeddings]
        return "POST", f"{COLLECTION}/subjects/{subject}/faces", {"images": images}

    def _rename(self, after: Subjects, _model: str) -> tuple[str, str, Any]:
        subject = self._choose(after)
        after[subject].name = self._new_name()
        return "PATCH", f"{COLLECTION}/subjects/{subject}", {"name": after[subject].name}

    def _move(self, after: Subjects, model: str) -> tuple[str, str, Any]:
        source, target = self._choose(after), self._choose(after)
        if not after[source].faces:
            return self._rename(after, model)
        face = self._random.choice(sorted(after[source].faces))
        after[target].faces[face] = after[source].faces.pop(face)
        return "PATCH", f"{COLLECTION}/faces/{face}", {"subject": target}

    def _delete(self, after: Subjects, _model: str) -> tuple[str, str, Any]:
        subject = self._choose(after)
        del after[subject]
        return "DELETE", f"{COLLECTION}/subjects/{subject}", None

    def _choose(self, subjects: Subjects) -> str:
        return self._random.choice(sorted(subjects))

    def _new_name(self) -> str:
        return f"Name {self._random.getrandbits(64):x}"

    def settle(self, stored: Subjects, find: FindFace) -> None:
        """Compare what is stored with what must be. Adopt the last request if it was stored. Raise Loss."""
        if _shape(stored) != _shape(self.subjects):
            if self.unsure is None:
                raise Loss(f"{self.prefix}: acknowledged changes are lost")
            require(_shape(stored) == _shape(self.unsure), f"{self.prefix}: lost, or stored in part")
            self.deleted |= self.subjects.keys() - self.unsure.keys()
            self.subjects = _with_stored_ids(self.unsure, find)
        self.unsure = None
        require(not self.deleted & stored.keys(), f"{self.prefix}: a deleted subject is back")
        for subject, known in self.subjects.items():
            require(known.faces.keys() == stored[subject].faces.keys(), f"{self.prefix}: other faces")


def _shape(subjects: Subjects) -> dict[str, tuple[str | None, int]]:
    return {subject: (known.name, len(known.faces)) for subject, known in subjects.items()}


def _with_stored_ids(unsure: Subjects, find: FindFace) -> Subjects:
    """Give the faces of an enrolment that was stored and not acknowledged their ids."""
    for subject, known in unsure.items():
        new = [known.faces.pop(face) for face in sorted(known.faces) if face.startswith(NEW)]
        for embedding in new:
            owner, face = find(embedding)
            require(owner == subject, "a face that was not acknowledged is stored for another subject")
            known.faces[face] = embedding
    return unsure


def check(url: str, clients: Sequence[Client], chance: random.Random) -> None:
    """Compare all subjects with what the clients know, and identify some faces. Raise Loss."""
    with httpx.Client(base_url=url, timeout=60) as http:
        ready = http.get("/readyz")
        require(ready.is_success, f"the service is not ready: {ready.text}")
        find = partial(_find, http, http.get("/model").json()["id"])
        stored = _list_subjects(http)
        for client in clients:
            of_client = {subject: known for subject, known in stored.items() if subject.startswith(client.prefix)}
            client.settle(of_client, find)
        known_faces = [(s, k) for client in clients for s, k in client.subjects.items() if k.faces]
        for subject, known in chance.sample(known_faces, min(FACES_TO_IDENTIFY, len(known_faces))):
            for face, embedding in known.faces.items():
                require(find(embedding) == (subject, face), "an enrolled face is not found")


def _find(http: httpx.Client, model: str, embedding: list[float]) -> tuple[str, str]:
    """Return the subject and the id of the stored face with this embedding. Raise Loss if there is none."""
    body = {"image": {"embedding": embedding, "model": model}}
    answer = http.post("/identify", params={"k": 1, "threshold": 0.01}, json=body).raise_for_status().json()
    require(answer["faces"][0]["decision"] == "match", "an embedding is not found")
    nearest = answer["faces"][0]["candidates"][0]
    return nearest["subject"], nearest["face"]


def _list_subjects(http: httpx.Client) -> Subjects:
    stored: Subjects = {}
    for item in _items(http, f"{COLLECTION}/subjects"):
        faces = _items(http, f"{COLLECTION}/subjects/{item['id']}/faces") if item["faces"] else []
        require(len(faces) == item["faces"], "a list of faces is incomplete")
        stored[item["id"]] = KnownSubject(item["name"], {face["id"]: [] for face in faces})
    return stored


def _items(http: httpx.Client, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = http.get(path, params={"limit": "1000", **cursor}).raise_for_status().json()
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}
