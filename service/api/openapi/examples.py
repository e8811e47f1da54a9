"""The bodies of requests in `/openapi.json`, with examples.

`bodies.py` reads the bodies, so FastAPI does not see them. The examples run in `/docs` without changes. Their faces are
drawings, so they show no real person.
"""

import base64
import json
from importlib import resources
from typing import Any

import numpy as np
from pydantic import BaseModel

from service.api.bodies import FORM, JSON, NDJSON
from service.api.schemas.fields import EXAMPLE_COLLECTION, EXAMPLE_FACE, EXAMPLE_MODEL, EXAMPLE_SUBJECT
from service.api.schemas.images import image_fields
from service.gallery.backup.collection_file import COLLECTION, END, FACE, FORMAT, SUBJECT, VERSION, to_line
from service.gallery.records.statements.moving.values import checksum_of

SCHEMA_REF = "#/components/schemas/{model}"
_FILE = {"type": "string", "format": "binary"}

Examples = dict[str, Any]


def _example_image(name: str) -> dict[str, str]:
    """Return a drawn face as small as the models take it: text of 700 characters fits on a screen."""
    data = resources.files("service.api.openapi").joinpath("example_images", f"{name}.webp").read_bytes()
    return {"base64": base64.b64encode(data).decode()}


def _example(summary: str, value: dict[str, Any] | str) -> Examples:
    return {"example": {"summary": summary, "value": value}}


def _example_lines() -> str:
    """Return two unit vectors of 128 numbers for the default model. They are no faces."""
    vectors = ([1.0, *[0.0] * 127], [0.0, 1.0, *[0.0] * 126])
    line = {"subject": "alan", "name": "Alan Turing", "model": EXAMPLE_MODEL}
    return "".join(f"{json.dumps({**line, 'embedding': vector})}\n" for vector in vectors)


def _example_file() -> str:
    """Return the file of a collection with one subject and one face. Its embedding is a unit vector, and no face."""
    time = "2026-01-01T00:00:00+00:00"
    of_model = {"model": EXAMPLE_MODEL, "dimension": 128, "created_at": time, "expires_after_days": None}
    counts = {"subjects": 1, "faces": 1}
    first = {"type": COLLECTION, "format": FORMAT, "version": VERSION, "id": EXAMPLE_COLLECTION, **of_model}
    first |= {"calibration": "model", "own_calibration": None, "exported_at": time, **counts}
    subject = {"type": SUBJECT, "id": EXAMPLE_SUBJECT, "name": "Ada Lovelace", "metadata": {}, "created_at": time}
    face = {"type": FACE, "id": EXAMPLE_FACE, "subject": EXAMPLE_SUBJECT, "image_sha256": "0" * 64, "created_at": time}
    face["embedding_base64"] = base64.b64encode(np.eye(1, 128, dtype=np.float32).tobytes()).decode()
    lines = b"".join(to_line(line) for line in (first, subject, face))
    return (lines + to_line({"type": END, **counts, "sha256": checksum_of("", lines)})).decode()


_A, _B = _example_image("face_a"), _example_image("face_b")

VERIFY_EXAMPLE = _example("The same drawn face, tilted and in another light", {"image_a": _A, "image_b": _B})
IDENTIFY_EXAMPLE = _example("A drawn face", {"image": _A})
IMAGES_EXAMPLE = _example("A drawn face in two lights", {"images": [_A, _B]})
KEY_EXAMPLE = _example(
    "The first key. With it, the service no longer answers requests without a key",
    {"scopes": ["verify", "read", "enrol", "admin", "metrics"], "label": "operator"},
)
NEW_SUBJECT_EXAMPLE = _example("A person", {"id": "grace", "name": "Grace Hopper", "metadata": {"team": "compilers"}})
FACE_EXAMPLE = _example("The face belongs to this subject from now on", {"subject": "grace"})
LINES_EXAMPLE = _example("Two lines. The second is another embedding of the same subject", _example_lines())
FILE_EXAMPLE = _example("The file of a collection with one face, in one part", _example_file())
MERGE_EXAMPLE = _example("The subject that is deleted. It is not the subject of the path", {"from": "grace"})
EXPIRY_EXAMPLE = _example("Faces are deleted after ten years", {"expires_after_days": 3650})
SUBJECT_EXAMPLE = _example("What is known of a person", {"name": "Ada Lovelace", "metadata": {"team": "engines"}})


def request_body(model: type[BaseModel], examples: Examples, *, required: bool = True) -> dict[str, Any]:
    """Describe a body that is JSON or a form, for a route's `openapi_extra`."""
    form = {"schema": {"$ref": SCHEMA_REF.format(model=form_name(model))}}
    content = {JSON: _json_content(model, examples), FORM: form}
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


def form_name(model: type[BaseModel]) -> str:
    """Return the name of the schema of a form, such as VerifyForm."""
    return f"{model.__name__.removesuffix('Body')}Form"


def form_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Describe the image fields of a body as files. The other fields cannot be sent in a form."""
    files = {
        name: field | {"items": _FILE} if "items" in field else _FILE for name, field in image_fields(model).items()
    }
    return {
        "title": form_name(model),
        "type": "object",
        "properties": files,
        "required": list(files),
        "additionalProperties": False,
    }
