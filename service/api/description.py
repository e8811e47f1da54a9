"""What FastAPI does not see of the API by itself, added to `/openapi.json`: bodies, problems, headers of answers."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.api.body_schemas import BODIES, SCHEMAS
from service.api.problems import Problem

_TEXT = {"type": "string"}
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {"description": "the request's id in the log; the client's own if it sent one", "schema": _TEXT},
    "Server-Timing": {"description": "milliseconds in each stage", "schema": _TEXT},
    "Retry-After": {"description": "seconds until another try makes sense", "schema": {"type": "integer"}},
}
EVERY_ANSWER = ("X-Request-ID", "Server-Timing")


def describe(app: FastAPI) -> None:
    """Completes the application's description when it is first asked for."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(plain())
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the description


def _complete(description: dict[str, Any]) -> None:
    components = description["components"]
    components["schemas"] = _schemas([*BODIES, Problem]) | components["schemas"]
    components["headers"] = {name: {**header, "required": True} for name, header in HEADERS.items()}
    for operation in _operations(description):
        for status, response in operation["responses"].items():
            names = (*EVERY_ANSWER, "Retry-After") if status == "503" else EVERY_ANSWER
            response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _without_null(parameter["schema"])


def _schemas(models: list[type[BaseModel]]) -> dict[str, Any]:
    _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=SCHEMAS)
    named: dict[str, Any] = schemas["$defs"]
    return named


def _operations(description: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in description["paths"].values():
        yield from path.values()


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query leaves a value out; it has no way to say null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**kinds[0], **rest} if kinds else schema
