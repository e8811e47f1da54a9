"""The bodies of requests in `/openapi.json`, with examples.

`bodies.py` reads the bodies, so FastAPI does not see them. The examples run in `/docs` without changes. Their faces are
drawings, so they show no real person.
"""

import base64
from importlib import resources
from typing import Any

from pydantic import BaseModel

from service.api.bodies import FORM, JSON
from service.api.schemas.images import image_fields

SCHEMA_REF = "#/components/schemas/{model}"
_FILE = {"type": "string", "format": "binary"}

Examples = dict[str, Any]


def _example_image(name: str) -> dict[str, str]:
    data = resources.files("service.api.openapi").joinpath("example_images", f"{name}.jpg").read_bytes()
    return {"base64": base64.b64encode(data).decode()}


def _example(summary: str, value: dict[str, Any]) -> Examples:
    return {"example": {"summary": summary, "value": value}}


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


def _json_content(model: type[BaseModel], examples: Examples) -> dict[str, Any]:
    return {"schema": {"$ref": SCHEMA_REF.format(model=model.__name__)}, "examples": examples}


def _form_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Describe the image fields of a body as files. The other fields cannot be sent in a form."""
    files = {
        name: field | {"items": _FILE} if "items" in field else {"title": field.get("title", name)} | _FILE
        for name, field in image_fields(model).items()
    }
    return {"type": "object", "properties": files, "required": list(files), "additionalProperties": False}
