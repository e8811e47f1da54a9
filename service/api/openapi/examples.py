"""The bodies of requests in `/openapi.json`, with examples.

`bodies.py` reads the bodies, so FastAPI does not see them. The examples run in `/docs` without changes. Their faces are
drawings, so they show no real person.
"""

import base64
import json
from importlib import resources
from typing import Any

from pydantic import BaseModel

from service.api.bodies import FORM, JSON, NDJSON
from service.api.schemas.images import image_fields

SCHEMA_REF = "#/components/schemas/{model}"
_FILE = {"type": "string", "format": "binary"}

SFACE_ID = "71af6535681fa78a1226dadf45f1d81a130b1e1ce969d6261b84a715241a5cb8"
"""The id of the default model. With another model, the example of a bulk enrolment needs the id of GET /model."""

Examples = dict[str, Any]


def _example_image(name: str) -> dict[str, str]:
    data = resources.files("service.api.openapi").joinpath("example_images", f"{name}.jpg").read_bytes()
    return {"base64": base64.b64encode(data).decode()}


def _example(summary: str, value: dict[str, Any] | str) -> Examples:
    return {"example": {"summary": summary, "value": value}}


def _example_lines() -> str:
    """Return two unit vectors of 128 numbers for the default model. They are no faces."""
    vectors = ([1.0, *[0.0] * 127], [0.0, 1.0, *[0.0] * 126])
    line = {"subject": "ada", "name": "Ada Lovelace", "model": SFACE_ID}
    return "".join(f"{json.dumps({**line, 'embedding': vector})}\n" for vector in vectors)


_A, _B = _example_image("face_a"), _example_image("face_b")

VERIFY_EXAMPLE = _example("The same drawn face, tilted and in another light", {"image_a": _A, "image_b": _B})
IDENTIFY_EXAMPLE = _example("A drawn face", {"image": _A})
IMAGES_EXAMPLE = _example("A drawn face in two lights", {"images": [_A, _B]})
KEY_EXAMPLE = _example(
    "The first key. With it, the service no longer answers requests without a key",
    {"scopes": ["verify", "read", "enrol", "admin", "metrics"], "label": "operator"},
)
NEW_SUBJECT_EXAMPLE = _example("A person", {"id": "ada", "name": "Ada Lovelace", "metadata": {"team": "engines"}})
FACE_EXAMPLE = _example("The face belongs to this subject", {"subject": "ada"})
LINES_EXAMPLE = _example("Two lines. The second is another embedding of the same subject", _example_lines())
MERGE_EXAMPLE = _example("The subject that is deleted. It is not the subject of the path", {"from": "ada"})
EXPIRY_EXAMPLE = _example("Faces are deleted after a year", {"expires_after_days": 365})
SUBJECT_EXAMPLE = _example("What is known of a person", {"name": "Ada Lovelace", "metadata": {"team": "engines"}})


def request_body(model: type[BaseModel], examples: Examples, *, required: bool = True) -> dict[str, Any]:
    """Describe a body that is JSON or a form, for a route's `openapi_extra`."""
    content = {JSON: _json_content(model, examples), FORM: {"schema": _form_schema(model)}}
    return {"requestBody": {"required": required, "content": content}}


def json_request_body(model: type[BaseModel], examples: Examples, *, required: bool = True) -> dict[str, Any]:
    """Describe a body that is JSON only."""
    return {"requestBody": {"required": required, "content": {JSON: _json_content(model, examples)}}}


def lines_request_body(model: type[BaseModel], examples: Examples) -> dict[str, Any]:
    """Describe a body of NDJSON. OpenAPI 3.1 has no schema for lines, so the text names the schema of each line."""
    return {
        "requestBody": {"required": True, "content": {NDJSON: {"schema": _lines_schema(model), "examples": examples}}}
    }


def lines_response(model: type[BaseModel], description: str) -> dict[str, Any]:
    """Describe an answer of NDJSON."""
    return {"description": description, "content": {NDJSON: {"schema": _lines_schema(model)}}}


def _lines_schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"type": "string", "description": f"each line is JSON: `{SCHEMA_REF.format(model=model.__name__)}`"}


def _json_content(model: type[BaseModel], examples: Examples) -> dict[str, Any]:
    return {"schema": {"$ref": SCHEMA_REF.format(model=model.__name__)}, "examples": examples}


def _form_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Describe the image fields of a body as files. The other fields cannot be sent in a form."""
    files = {
        name: field | {"items": _FILE} if "items" in field else {"title": field.get("title", name)} | _FILE
        for name, field in image_fields(model).items()
    }
    return {"type": "object", "properties": files, "required": list(files), "additionalProperties": False}
