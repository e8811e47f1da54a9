"""What FastAPI cannot describe by itself in `/openapi.json`: bodies, problems, response headers, access keys."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.api.access import NEEDS, PUBLIC_ROUTES
from service.api.middleware.origins import SAFE_METHODS
from service.api.openapi.examples import SCHEMA_REF
from service.api.problems import Problem, problem_responses
from service.api.schemas.cluster import ClusterBody
from service.api.schemas.collections import CollectionChanges, CollectionFields
from service.api.schemas.faces import FaceFields, FaceLine, LineResult
from service.api.schemas.identify import IdentifyBody
from service.api.schemas.images import ImagesBody
from service.api.schemas.keys import NewKey
from service.api.schemas.subjects import MergeBody, NewSubject, SubjectFields
from service.api.schemas.verify import VerifyBody

BODIES: tuple[type[BaseModel], ...] = (
    VerifyBody,
    IdentifyBody,
    ImagesBody,
    ClusterBody,
    CollectionChanges,
    CollectionFields,
    FaceFields,
    FaceLine,
    NewSubject,
    SubjectFields,
    MergeBody,
    NewKey,
)
"""The bodies that the description refers to by name."""

_TEXT = {"type": "string"}
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
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "api_key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
"""Two ways to send the same key. A service without keys needs none."""
HEADERS_OF_ALL_RESPONSES = ("X-Request-ID", "Server-Timing")
HEADERS_BY_STATUS = {"204": ("X-Deletion-Receipt",), "429": ("Retry-After",), "503": ("Retry-After",)}


def complete_description(app: FastAPI) -> None:
    """Add the missing parts when the description is first requested."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(describe())
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the description


def _complete(description: dict[str, Any]) -> None:
    components = description["components"]
    components["schemas"] = _schemas([*BODIES, LineResult, Problem]) | components["schemas"]
    components["securitySchemes"] = SECURITY_SCHEMES
    components["headers"] = {name: {"required": True, **header} for name, header in HEADERS.items()}
    for path, method, operation in _operations(description):
        operation["responses"] |= _refusals_of_browsers(method)
        if path not in PUBLIC_ROUTES:
            operation["responses"] |= _refusals_of_keys()
            operation["description"] += _need_of(method, path)
            operation["security"] = [{scheme: []} for scheme in SECURITY_SCHEMES] + [{}]
        for status, response in operation["responses"].items():
            names = (*HEADERS_OF_ALL_RESPONSES, *HEADERS_BY_STATUS.get(status, ()))
            response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _without_null(parameter["schema"])


def _schemas(models: list[type[BaseModel]]) -> dict[str, Any]:
    _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=SCHEMA_REF)
    by_name: dict[str, Any] = schemas["$defs"]
    return by_name


def _operations(description: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def _refusals_of_browsers(method: str) -> dict[str, Any]:
    """Describe the answers of AllowedHosts, and of AllowedOrigins if the method is not safe."""
    statuses = (421,) if method.upper() in SAFE_METHODS else (403, 421)
    return {str(status): response for status, response in problem_responses(*statuses).items()}


def _refusals_of_keys() -> dict[str, Any]:
    """Describe the answers to a key that is missing, invalid, too narrow, or used too often."""
    return {str(status): response for status, response in problem_responses(401, 403, 429).items()}


def _need_of(method: str, path: str) -> str:
    scope = NEEDS[method.upper(), path].scope
    return "\n\nThe key needs " + (f"the scope `{scope}`." if scope else "no scope.")


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Remove null from the types of a query parameter. A query cannot express null; it leaves the parameter out."""
    types = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**types[0], **rest} if types else schema
