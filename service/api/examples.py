"""Examples that run in `/docs` as they stand. Their faces are drawn, not photographed: nobody's."""

import base64
from importlib import resources
from typing import Any


def _drawn(name: str) -> dict[str, str]:
    data = resources.files("service.api").joinpath("drawn", f"{name}.jpg").read_bytes()
    return {"base64": base64.b64encode(data).decode()}


def _example(summary: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"example": {"summary": summary, "value": value}}


_A, _B = _drawn("face_a"), _drawn("face_b")

VERIFY = _example("The same drawn face, tilted and in another light", {"image_a": _A, "image_b": _B})
IDENTIFY = _example("A drawn face", {"image": _A})
IMAGES = _example("A drawn face in two lights", {"images": [_A, _B]})

NEW_SUBJECT = _example("A person", {"id": "ada", "name": "Ada Lovelace", "metadata": {"team": "engines"}})
SUBJECT = _example("What is known of a person", {"name": "Ada Lovelace", "metadata": {"team": "engines"}})
