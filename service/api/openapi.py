"""What FastAPI cannot describe by itself in `/openapi.json`: bodies with their examples, problems, response headers.

`bodies.py` reads the bodies, so FastAPI does not see them. The examples run in `/docs` without changes. Their faces are
drawings, so they show no real person.
"""

import base64
from collections.abc import Iterator
from importlib import resources
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.api.bodies import FORM, JSON
from service.api.middleware.origins import SAFE_METHODS
from service.api.problems import Problem, problem_responses
from service.api.schemas.cluster import ClusterBody
from service.api.schemas.collections import CollectionFields
from service.api.schemas.faces import FaceFields
from service.api.schemas.identify import IdentifyBody
from service.api.schemas.images import ImagesBody, image_fields
from service.api.schemas.subjects import MergeBody, NewSubject, SubjectFields
from service.api.schemas.verify import VerifyBody

BODIES: tuple[type[BaseModel], ...] = (
    VerifyBody,
    IdentifyBody,
    ImagesBody,
    ClusterBody,
    CollectionFields,
    FaceFields,
    NewSubject,
    SubjectFields,
    MergeBody,
)
"""The bodies that the description refers to by name."""

SCHEMA_REF = "#/components/schemas/{model}"
_TEXT = {"type": "string"}
_FILE = {"type": "string", "format": "binary"}
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "the id of the request in the log. It is the client's id if it sent one",
        "schema": _TEXT,
    },
    "Server-Timing": {"description": "milliseconds in each stage", "schema": _TEXT},
    "Retry-After": {"description": "how many seconds to wait before the next try", "schema": {"type": "integer"}},
    "X-Deletion-Receipt": {
        "description": "the line of this deletion in the audit log: `facenet audit receipt`",
        "schema": _TEXT,
        "required": False,
    },
}
HEADERS_OF_ALL_RESPONSES = ("X-Request-ID", "Server-Timing")
HEADERS_BY_STATUS = {"204": ("X-Deletion-Receipt",), "503": ("Retry-After",)}

Examples = dict[str, Any]


def _example_image(name: str) -> dict[str, str]:
    data = resources.files("service.api").joinpath("example_images", f"{name}.jpg").read_bytes()
    return {"base64": base64.b64encode(data).decode()}


def _example(summary: str, value: dict[str, Any]) -> Examples:
    return {"example": {"summary": summary, "value": value}}


_A, _B = _example_image("face_a"), _example_image("face_b")

VERIFY_EXAMPLE = _example("The same drawn face, tilted and in another light", {"image_a": _A, "image_b": _B})
IDENTIFY_EXAMPLE = _example("A drawn face", {"image": _A})
IMAGES_EXAMPLE = _example("A drawn face in two lights", {"images": [_A, _B]})
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


def complete_description(app: FastAPI) -> None:
    """Add the missing parts when the description is first requested."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(describe())
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the description


def _json_content(model: type[BaseModel], examples: Examples) -> dict[str, Any]:
    return {"schema": {"$ref": SCHEMA_REF.format(model=model.__name__)}, "examples": examples}


def _form_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Describe the image fields of a body as files. The other fields cannot be sent in a form."""
    files = {
        name: field | {"items": _FILE} if "items" in field else {"title": field.get("title", name)} | _FILE
        for name, field in image_fields(model).items()
    }
    return {"type": "object", "properties": files, "required": list(files), "additionalProperties": False}


def _complete(description: dict[str, Any]) -> None:
    components = description["components"]
    components["schemas"] = _schemas([*BODIES, Problem]) | components["schemas"]
    components["headers"] = {name: {"required": True, **header} for name, header in HEADERS.items()}
    for method, operation in _operations(description):
        operation["responses"] |= _refusals_of_browsers(method)
        for status, response in operation["responses"].items():
            names = (*HEADERS_OF_ALL_RESPONSES, *HEADERS_BY_STATUS.get(status, ()))
            response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _without_null(parameter["schema"])


def _schemas(models: list[type[BaseModel]]) -> dict[str, Any]:
    _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=SCHEMA_REF)
    by_name: dict[str, Any] = schemas["$defs"]
    return by_name


def _operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in description["paths"].values():
        yield from path.items()


def _refusals_of_browsers(method: str) -> dict[str, Any]:
    """Describe the answers of AllowedHosts, and of AllowedOrigins if the method is not safe."""
    statuses = (421,) if method.upper() in SAFE_METHODS else (403, 421)
    return {str(status): response for status, response in problem_responses(*statuses).items()}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Remove null from the types of a query parameter. A query cannot express null; it leaves the parameter out."""
    types = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**types[0], **rest} if types else schema
