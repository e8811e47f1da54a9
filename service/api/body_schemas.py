"""Bodies as `/docs` and `/openapi.json` describe them: `bodies.py` reads them, so FastAPI cannot see them itself."""

from typing import Any

from pydantic import BaseModel

from service.api.bodies import FORM, JSON
from service.api.requests import ClusterBody, IdentifyBody, ImagesBody, NewSubject, SubjectFields, VerifyBody

BODIES: tuple[type[BaseModel], ...] = (VerifyBody, IdentifyBody, ImagesBody, ClusterBody, NewSubject, SubjectFields)
"""Those whose schemas the description of the API holds by name."""

SCHEMAS = "#/components/schemas/{model}"
Examples = dict[str, Any]


def request_body(model: type[BaseModel], examples: Examples, *, required: bool = True) -> dict[str, Any]:
    """The OpenAPI description of a body in either form, for a route's `openapi_extra`."""
    content = {JSON: _json(model, examples), FORM: {"schema": _form(model)}}
    return {"requestBody": {"required": required, "content": content}}


def json_request_body(model: type[BaseModel], examples: Examples) -> dict[str, Any]:
    """The same for plain JSON."""
    return {"requestBody": {"required": True, "content": {JSON: _json(model, examples)}}}


def _json(model: type[BaseModel], examples: Examples) -> dict[str, Any]:
    return {"schema": {"$ref": SCHEMAS.format(model=model.__name__)}, "examples": examples}


_FILE = {"type": "string", "format": "binary"}


def _form(model: type[BaseModel]) -> dict[str, Any]:
    """The same fields as files; what is not an image has no place in a form."""
    files = {
        name: field | {"items": _FILE} if "items" in field else {"title": field.get("title", name)} | _FILE
        for name, field in model.model_json_schema()["properties"].items()
        if "oneOf" in field or "oneOf" in field.get("items", {})
    }
    return {"type": "object", "properties": files, "required": list(files), "additionalProperties": False}
