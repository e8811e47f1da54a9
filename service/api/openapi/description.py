"""What FastAPI cannot describe by itself in `/openapi.json`: bodies, problems, response headers, access keys."""

import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.api.access import NEEDS, PUBLIC_ROUTES
from service.api.openapi.examples import SCHEMA_REF, form_name, form_schema
from service.api.openapi.refusals import refusals_of_kind, with_refusals
from service.api.problems import Problem
from service.api.schemas.cluster import ClusterBody
from service.api.schemas.collections import CollectionChanges, CollectionFields, CollectionLine
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
    CollectionLine,
    FaceFields,
    FaceLine,
    NewSubject,
    SubjectFields,
    MergeBody,
    NewKey,
)
"""The bodies that the description refers to by name."""
FORMS: tuple[type[BaseModel], ...] = (VerifyBody, IdentifyBody, ImagesBody, ClusterBody)
"""The bodies that can also be a form."""

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
SUCCESS = "Successful Response"
"""What FastAPI writes."""
KEY_ID = "$response.body#/id"
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


def operation_id(route: APIRoute) -> str:
    """Name an operation as its function is named, so that the functions of a generated client have good names."""
    return route.name


def _complete(description: dict[str, Any]) -> None:
    components = description["components"]
    components["schemas"] = _schemas([*BODIES, LineResult, Problem]) | components["schemas"]
    components["schemas"] |= {form_name(model): form_schema(model) for model in FORMS}
    components["securitySchemes"] = SECURITY_SCHEMES
    components["headers"] = {name: {"required": True, **header} for name, header in HEADERS.items()}
    for path, method, operation in _operations(description):
        operation["summary"] = _first_sentence(operation["description"])
        operation["responses"] = with_refusals(operation["responses"], refusals_of_kind(method, path, operation))
        if path not in PUBLIC_ROUTES:
            operation["description"] += _need_of(method, path)
            operation["security"] = [{scheme: []} for scheme in SECURITY_SCHEMES] + [{}]
        _describe_answers(operation["responses"], components["schemas"])
        _describe_headers(operation["responses"])
        for parameter in operation.get("parameters", ()):
            _complete_parameter(parameter)
    _link_keys(description["paths"])


def _describe_answers(responses: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Describe an answer as its schema is described, if its route says nothing."""
    for response in responses.values():
        name = (
            response.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
        )
        if response["description"] == SUCCESS:
            response["description"] = schemas[name]["description"] if name else "Done"


def _describe_headers(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        names = (*HEADERS_OF_ALL_RESPONSES, *HEADERS_BY_STATUS.get(status, ()))
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _link_keys(paths: dict[str, Any]) -> None:
    """Say that the id of a new key is what the other calls of keys take."""
    links = {name: {"operationId": name, "parameters": {"key_id": KEY_ID}} for name in ("rotate_key", "revoke_key")}
    paths["/keys"]["post"]["responses"]["201"]["links"] = links


def _schemas(models: list[type[BaseModel]]) -> dict[str, Any]:
    _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=SCHEMA_REF)
    by_name: dict[str, Any] = schemas["$defs"]
    return by_name


def _operations(description: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def _need_of(method: str, path: str) -> str:
    scope = NEEDS[method.upper(), path].scope
    return "\n\nThe key needs " + (f"the scope `{scope}`." if scope else "no scope.")


def _first_sentence(text: str) -> str:
    """Return the start of a description, up to its first full stop or colon."""
    return re.split(r"[.:](?:\s|$)", text, maxsplit=1)[0]


def _complete_parameter(parameter: dict[str, Any]) -> None:
    """Write the description as a sentence. /docs fills in the `example`, so only what is required has one."""
    schema = _without_null(parameter["schema"])
    schema.pop("title", None)
    description: str = schema.pop("description")
    parameter |= {"schema": schema, "description": f"{description[0].upper()}{description[1:].rstrip('.')}."}
    if parameter["required"] and "examples" in schema:
        parameter["example"] = schema["examples"][0]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Remove null from the types of a query parameter. A query cannot express null; it leaves the parameter out."""
    types = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**types[0], **rest} if types else schema
