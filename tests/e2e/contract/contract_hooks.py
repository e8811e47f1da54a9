"""Hooks of schemathesis. Without them, its requests are well formed, but show no face and name no existing face.

With them, photographs are real, embeddings fit the loaded model, options do not contradict each other, and some of the
requested faces exist.
"""

import base64
import functools
import io
import itertools
import json
import os
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import schemathesis
from hypothesis import strategies as st
from PIL import Image

PHOTOGRAPHS = Path(__file__).parents[3] / "var" / "photographs"
SIDE_PX = 160
PEOPLE = 60
SUBJECT = "collections/default/subjects/ada"
EXAMPLE_COLLECTION, EXAMPLE_SUBJECT = "people", "ada"
"""The examples of the description name them."""


def shrink(file: Path) -> bytes:
    shrunk = io.BytesIO()
    with Image.open(file) as photograph:
        photograph.thumbnail((SIDE_PX, SIDE_PX))
        photograph.convert("RGB").save(shrunk, "JPEG")
    return shrunk.getvalue()


files = st.sampled_from([shrink(file) for file in sorted(PHOTOGRAPHS.rglob("*.*"))]) | st.binary(min_size=1)
schemathesis.openapi.format("binary", files)
schemathesis.openapi.format("byte", files.map(lambda file: base64.b64encode(file).decode()))

numbers = itertools.count()
NDJSON = "application/x-ndjson"


@schemathesis.serializer(NDJSON)
def serialize_lines(_context: schemathesis.SerializationContext, value: Any) -> Any:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.deserializer(NDJSON)
def deserialize_lines(_context: schemathesis.DeserializationContext, response: schemathesis.Response) -> Any:
    return response.content.decode()


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    if case.meta is None or case.meta.generation.mode.is_negative or "CONTRACT_WITHOUT_KEY" in os.environ:
        return
    service = Service.for_url(str(case.operation.base_url))
    use_real_body(case, service)
    if case.path_parameters.get("collection") == EXAMPLE_COLLECTION:
        service.create_example()
    if "face" in case.path_parameters and case.meta.phase.name != "stateful" and next(numbers) % 2:
        case.path_parameters |= {"collection": "default", "face": service.enrol_face()}
        if case.method == "PATCH":
            case.body = {"subject": service.create_subject()}
    if case.path.endswith("/calibration") and next(numbers) % 2:
        case.path_parameters |= {"collection": service.calibrate_collection()}
    name_second_model(case, service)
    if "key_id" in case.path_parameters and case.meta.phase.name != "stateful" and next(numbers) % 2:
        case.path_parameters |= {"key_id": service.create_key()}
    if case.path.endswith("/merge") and (case.meta.phase.name == "stateful" or next(numbers) % 2):
        if case.meta.phase.name != "stateful":
            case.path_parameters |= {"collection": "default", "subject": service.create_subject()}
        case.body = {"from": service.create_subject()}


def name_second_model(case: schemathesis.Case[Any], service: "Service") -> None:
    """Name a face whose crop is kept, or a collection that a second model embeds again."""
    if case.path.endswith("/crop") and next(numbers) % 2:
        case.path_parameters |= {"collection": "default", "face": service.enrol_photograph()}
    if case.path.endswith("/reembedding") and next(numbers) % 2:
        case.path_parameters |= {"collection": service.embed_again()}
    if case.path == "/collections/{collection}/model" and next(numbers) % 2:
        case.path_parameters |= {"collection": service.embed_again()}
        case.query = {"model": service.model["id"]}


def use_real_body(case: schemathesis.Case[Any], service: "Service") -> None:
    """Put embeddings of the loaded model into the body, and no contradictions into the options of /cluster."""
    if case.media_type == "application/json" and isinstance(case.body, dict):
        case.body = service.with_embeddings(case.body)
    if case.media_type == NDJSON and next(numbers) % 2:
        case.body = service.face_lines()
    if case.path == "/cluster":
        case.query = without_contradictions(case.query, has_body=isinstance(case.body, dict))


def without_contradictions(options: dict[str, Any], *, has_body: bool) -> dict[str, Any]:
    """Return the options of /cluster without those that contradict each other. A schema cannot express this rule."""
    unusable = "threshold" if options.get("method") == "kmeans" else "n_clusters"
    remaining = {name: value for name, value in options.items() if name not in {unusable, "collection"}}
    return remaining if has_body else {**remaining, "collection": "default"}


class Service:
    """A client of the running service."""

    def __init__(self, url: str) -> None:
        headers = {"x-api-key": key} if (key := os.environ.get("CONTRACT_KEY")) else None
        self._client = httpx.Client(base_url=url, headers=headers)

    @classmethod
    @functools.cache
    def for_url(cls, url: str) -> "Service":
        return cls(url)

    @functools.cached_property
    def model(self) -> dict[str, Any]:
        return dict(self._client.get("model").raise_for_status().json())

    def with_embeddings(self, value: Any) -> Any:
        """Replace every embedding of a JSON body by a random unit vector of the dimension of the loaded model."""
        match value:
            case list():
                return [self.with_embeddings(item) for item in value]
            case {"embedding": _, "model": _}:
                return {"embedding": self.random_embedding(), "model": self.model["id"]}
            case {"embeddings": [*vectors], "model": _}:
                return {"embeddings": [self.random_embedding() for _ in vectors], "model": self.model["id"]}
            case dict():
                return {name: self.with_embeddings(item) for name, item in value.items()}
        return value

    def random_embedding(self) -> list[float]:
        vector = np.random.default_rng(next(numbers)).normal(size=self.model["dimension"])
        return list((vector / np.linalg.norm(vector)).tolist())

    def face_lines(self) -> str:
        """Return lines of a bulk enrolment. The last one is refused."""
        faces = [{"subject": f"s{next(numbers)}", "embedding": self.random_embedding()} for _ in range(3)]
        lines = [json.dumps({**face, "model": self.model["id"]}) for face in faces]
        return "\n".join([*lines, json.dumps(faces[0])])

    def create_key(self) -> str:
        """Create an access key, and return its id."""
        answer = self._client.post("keys", json={"scopes": ["read"]}).raise_for_status()
        return str(answer.json()["id"])

    def calibrate_collection(self) -> str:
        """Give a collection of PEOPLE a calibration of its own, and return its id."""
        if self._client.get("collections/measured").status_code == HTTPStatus.NOT_FOUND:
            self._client.put("collections/measured", json={}).raise_for_status()
            for person in range(PEOPLE):
                subject = f"collections/measured/subjects/{person}"
                body = {"images": [{"embedding": self.random_embedding(), "model": self.model["id"]}]}
                self._client.put(subject, json={}).raise_for_status()
                self._client.post(f"{subject}/faces", json=body).raise_for_status()
        self._client.post("collections/measured/calibration").raise_for_status()
        return "measured"

    def create_example(self) -> None:
        """Create what the examples of the description name. During an import, this is refused."""
        for path in (
            f"collections/{EXAMPLE_COLLECTION}",
            f"collections/{EXAMPLE_COLLECTION}/subjects/{EXAMPLE_SUBJECT}",
        ):
            self._client.put(path, json={})

    def embed_again(self) -> str:
        """Begin to embed a collection of one face by the second model, and return its id."""
        body = {"images": [{"embedding": self.random_embedding(), "model": self.model["id"]}]}
        for path in ("collections/again", "collections/again/subjects/ada"):
            self._client.put(path, json={}).raise_for_status()
        self._client.post("collections/again/subjects/ada/faces", json=body).raise_for_status()
        self._client.post("collections/again/reembedding").raise_for_status()
        return "again"

    def enrol_photograph(self) -> str:
        """Enrol a photograph, and return the id of the face. Its crop is kept."""
        self._client.put("collections/default/subjects/obama", json={}).raise_for_status()
        photograph = (PHOTOGRAPHS / "obama" / "obama.jpg").read_bytes()
        answer = self._client.post("collections/default/subjects/obama/faces", files={"images": photograph})
        return str(answer.raise_for_status().json()["results"][0]["face"])

    def create_subject(self) -> str:
        """Create a subject, and return its id."""
        answer = self._client.post("collections/default/subjects", json={}).raise_for_status()
        return str(answer.json()["id"])

    def enrol_face(self) -> str:
        """Enrol a face, and return its id."""
        self._client.put(SUBJECT, json={}).raise_for_status()
        body = {"images": [{"embedding": self.random_embedding(), "model": self.model["id"]}]}
        answer = self._client.post(f"{SUBJECT}/faces", json=body).raise_for_status()
        return str(answer.json()["results"][0]["face"])
