"""What is compared: how each candidate is asked, and how its answer is read. The photographs are the same for all."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from benchmarks import load
from benchmarks.models_alone import PhotographPair
from benchmarks.peers.servers import Server

TWO_PHOTOGRAPHS = "two photographs"
ENROLLED_PERSON = "a photograph and an enrolled person"
TIMEOUT_S = 60
COLLECTION = "peers"


Enrol = Callable[[str, bytes], None]
"""Stores a photograph under a name. Raises httpx.HTTPStatusError if it is refused."""


@dataclass(frozen=True)
class Verdict:
    """What a candidate says about a pair. distance: its own measure; the smaller, the more alike."""

    verified: bool
    distance: float


@dataclass(frozen=True)
class Candidate:
    """A server, and one of its calls.

    task: TWO_PHOTOGRAPHS or ENROLLED_PERSON.
    enrol: stores the first photograph of a pair under a name. None: the call takes both photographs.
    encode: the HTTP request for a pair, whose first photograph may be enrolled under the name.
    """

    name: str
    task: str
    server: Server
    enrol: Enrol | None
    encode: Callable[[str, PhotographPair], bytes]
    read: Callable[[bytes], Verdict]

    def requests(self, pairs: Sequence[PhotographPair]) -> list[bytes]:
        """Return the request of each pair. What must be enrolled for them is enrolled."""
        names = [f"person-{number}" for number in range(len(pairs))]
        if self.enrol is not None:
            for name, (left, _) in zip(names, pairs, strict=True):
                self.enrol(name, left)
        return [self.encode(name, pair) for name, pair in zip(names, pairs, strict=True)]


def own_pair(server: Server) -> Candidate:
    """Return this service with two photographs in a form."""
    return Candidate(
        "this service",
        TWO_PHOTOGRAPHS,
        server,
        None,
        lambda _, pair: load.encode_verify_request(server.url, pair),
        lambda body: _verdict(body, "verified", "distance"),
    )


def own_enrolled(server: Server) -> Candidate:
    """Return this service with an enrolled subject. A photograph beside a subject is sent as base64 in JSON."""
    httpx.put(f"{server.url}/collections/{COLLECTION}", json={}, timeout=TIMEOUT_S).raise_for_status()

    def enrol(name: str, photograph: bytes) -> None:
        subject = f"{server.url}/collections/{COLLECTION}/subjects/{name}"
        httpx.put(subject, json={}, timeout=TIMEOUT_S).raise_for_status()
        faces = f"{subject}/faces?on_several=main&min_quality=0"  # verifyface takes the largest face too
        httpx.post(faces, files={"images": photograph}, timeout=TIMEOUT_S).raise_for_status()

    def encode(name: str, pair: PhotographPair) -> bytes:
        photograph = {"base64": base64.b64encode(pair[1]).decode()}
        body = {"image_a": {"subject": name, "collection": COLLECTION}, "image_b": photograph}
        return _encode_json(server.url, "/verify", json.dumps(body).encode())

    return Candidate(
        "this service", ENROLLED_PERSON, server, enrol, encode, lambda body: _verdict(body, "verified", "distance")
    )


def deepface(server: Server, workers: int) -> Candidate:
    """Return deepface's /verify, with SFace and YuNet and its other options at their defaults."""

    def encode(_: str, pair: PhotographPair) -> bytes:
        options = [("model_name", "SFace"), ("detector_backend", "yunet")]
        return load.encode_form(server.url, "/verify", [*options, ("img1", pair[0]), ("img2", pair[1])])

    name = f"deepface, {workers} worker{'s' if workers > 1 else ''}"
    return Candidate(name, TWO_PHOTOGRAPHS, server, None, encode, lambda body: _verdict(body, "verified", "distance"))


def verifyface(server: Server) -> Candidate:
    """Return verifyface's /face/verify: a photograph and an enrolled person. It has no call for two photographs."""

    def enrol(name: str, photograph: bytes) -> None:
        form = {"name": name, "overwrite": "true"}
        url = f"{server.url}/face/enroll"
        httpx.post(url, data=form, files={"files": photograph}, timeout=TIMEOUT_S).raise_for_status()

    def encode(name: str, pair: PhotographPair) -> bytes:
        return load.encode_form(server.url, "/face/verify", [("name", name), ("file", pair[1])])

    def read(body: bytes) -> Verdict:
        answer = json.loads(body)
        return Verdict(bool(answer["matched"]), -float(answer["score"]))  # its score is a similarity

    return Candidate("verifyface", ENROLLED_PERSON, server, enrol, encode, read)


def _verdict(body: bytes, verified: str, distance: str) -> Verdict:
    answer = json.loads(body)
    return Verdict(bool(answer[verified]), float(answer[distance]))


def _encode_json(url: str, path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
