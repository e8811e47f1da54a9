"""Hooks of schemathesis: what it makes up is well formed, and yet shows no face, is no embedding, and names nobody.

So photographs are real ones, embeddings are the loaded model's, options agree with each other, and of the faces that
are asked for some are there.
"""

import base64
import functools
import io
import itertools
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import schemathesis
from hypothesis import strategies as st
from PIL import Image

PHOTOGRAPHS = Path(__file__).parents[2] / "var" / "photographs"
SIDE_PX = 160
SUBJECT = "collections/default/subjects/ada"


def small(file: Path) -> bytes:
    shrunk = io.BytesIO()
    with Image.open(file) as photograph:
        photograph.thumbnail((SIDE_PX, SIDE_PX))
        photograph.convert("RGB").save(shrunk, "JPEG")
    return shrunk.getvalue()


files = st.sampled_from([small(file) for file in sorted(PHOTOGRAPHS.rglob("*.*"))]) | st.binary(min_size=1)
schemathesis.openapi.format("binary", files)
schemathesis.openapi.format("byte", files.map(lambda file: base64.b64encode(file).decode()))

numbers = itertools.count()


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    service = Service.at(str(case.operation.base_url))
    if case.media_type == "application/json" and isinstance(case.body, dict):
        case.body = service.with_embeddings(case.body)
    if case.path == "/cluster":
        case.query = agreeing(case.query, has_body=isinstance(case.body, dict))
    if "face" in case.path_parameters and case.meta.phase.name != "stateful" and next(numbers) % 2:
        case.path_parameters |= {"collection": "default", "face": service.enrolled()}


def agreeing(options: dict[str, Any], *, has_body: bool) -> dict[str, Any]:
    """The options of /cluster without those that contradict each other, which no schema can say."""
    useless = "threshold" if options.get("method") == "kmeans" else "n_clusters"
    kept = {name: value for name, value in options.items() if name not in {useless, "collection"}}
    return kept if has_body else {**kept, "collection": "default"}


class Service:
    """The running service, as the hooks use it."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url)

    @classmethod
    @functools.cache
    def at(cls, url: str) -> "Service":
        return cls(url)

    @functools.cached_property
    def model(self) -> dict[str, Any]:
        return dict(self._client.get("model").raise_for_status().json())

    def with_embeddings(self, value: Any) -> Any:
        """Every embedding of a JSON body replaced by a unit vector of the loaded model's."""
        match value:
            case list():
                return [self.with_embeddings(one) for one in value]
            case {"embedding": _, "model": _}:
                return {"embedding": self.embedding(), "model": self.model["id"]}
            case {"embeddings": [*vectors], "model": _}:
                return {"embeddings": [self.embedding() for _ in vectors], "model": self.model["id"]}
            case dict():
                return {name: self.with_embeddings(one) for name, one in value.items()}
        return value

    def embedding(self) -> list[float]:
        vector = np.random.default_rng(next(numbers)).normal(size=self.model["dimension"])
        return list((vector / np.linalg.norm(vector)).tolist())

    def enrolled(self) -> str:
        """The id of a face that is there."""
        self._client.put(SUBJECT, json={}).raise_for_status()
        body = {"images": [{"embedding": self.embedding(), "model": self.model["id"]}]}
        answer = self._client.post(f"{SUBJECT}/faces", json=body).raise_for_status()
        return str(answer.json()["results"][0]["face"])
