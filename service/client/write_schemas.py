"""Write the models of `facenet_client.schemas` from the OpenAPI description of the service.

`make client-schemas` runs it:

    facenet openapi > openapi.json
    python write_schemas.py openapi.json facenet_client/schemas
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import indent, wrap
from typing import Any

Schema = dict[str, Any]
"""A schema of JSON Schema 2020-12, as OpenAPI 3.1 uses it."""

ROOT = Path(__file__).parents[2]

FILES = {
    "decisions": ("The answers of /verify, /identify, /cluster and /embed.", "verify", "identify", "cluster", "embed"),
    "gallery": ("The answers of /collections, and of all below it.", "collections"),
    "keys": ("The answers of /keys.", "keys"),
    "service": ("The answers about the service itself.", "livez", "readyz", "model"),
    "inputs": ("What can be sent instead of a photograph.",),
    "shared": ("What several answers have, and the problem document.",),
}
"""What each file is, and the first words of the paths whose answers it has. What several files need is in `shared`."""

FURTHER = {
    "gallery": ("LineResult",),
    "inputs": ("EmbeddingImage", "FaceImage", "SubjectImage", "FaceLine"),
    "shared": ("Problem",),
}
"""Schemas of a file that are not those of an answer of JSON."""

SECRETS = {("NewKeyAnswer", "key")}
"""Fields that a repr must not show."""

TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
DEFAULTS = {"[]": "()", "{}": "Field(default_factory=dict)"}
PREFIX = "#/components/schemas/"
WIDTH = 120
INHERITED_AT_LEAST = 4
"""A schema that begins with all fields of another one becomes its subclass. Fewer fields can be equal by chance."""

IMPORTS = """
from datetime import datetime
from typing import Any, Literal
from pydantic import Field, SkipValidation
from facenet_client.schemas.base import Answer, Input
"""
"""All that a file may need. What it does not need is removed at the end."""


class Schemas:
    """The schemas of an OpenAPI description, and the file of each."""

    def __init__(self, openapi: Schema) -> None:
        self._schemas: dict[str, Schema] = openapi["components"]["schemas"]
        self._files: dict[str, str] = {}
        for file, (_, *words) in FILES.items():
            operations = [one for path, one in openapi["paths"].items() if path.split("/")[1] in words]
            for name in self._reachable([*_answers(operations), *FURTHER.get(file, ())]):
                self._files[name] = file if self._files.get(name, file) == file else "shared"

    def texts(self) -> dict[str, str]:
        """Return the text of each file of the package."""
        title = '"""What the service answers and takes, as its OpenAPI description says."""'
        package = f"{title}\n{self._imports('')}\n__all__ = {sorted(self._files)}\n"
        return {"__init__.py": package} | {f"{file}.py": self._text(file) for file in FILES}

    def _text(self, file: str) -> str:
        """Return the text of one file. A schema comes after those that it uses."""
        own = [name for name in self._reachable(self._schemas) if self._files.get(name) == file]
        head = f'"""{FILES[file][0]}\n\nThis file is written by write_schemas.py.\n"""\n{IMPORTS}'
        return "\n".join([head, self._imports(file), *map(self._definition, own)])

    def _imports(self, file: str) -> str:
        return "\n".join(
            f"from facenet_client.schemas.{other} import {name}" for name, other in self._files.items() if other != file
        )

    def _reachable(self, names: Iterable[str]) -> list[str]:
        """Return these schemas and all that they use. Each comes after those that it uses."""
        found: dict[str, None] = {}
        for name in names:
            if name not in found:
                found |= dict.fromkeys(self._reachable(self._used(name)))
                found[name] = None
        return list(found)

    def _used(self, name: str) -> list[str]:
        parent = self._parent(name)
        return ([parent] if parent else []) + list(_references(self._schemas[name]))

    def _parent(self, name: str) -> str | None:
        """Return the longest schema with whose fields this one begins."""
        fields = list(self._schemas[name].get("properties", {}).items())
        shorter = {
            other: len(schema["properties"])
            for other, schema in self._schemas.items()
            if INHERITED_AT_LEAST <= len(schema.get("properties", {})) < len(fields)
            and list(schema["properties"].items()) == fields[: len(schema["properties"])]
        }
        return max(shorter, key=shorter.__getitem__, default=None)

    def _definition(self, name: str) -> str:
        schema, parent = self._schemas[name], self._parent(name)
        if "enum" in schema:
            return f"{name} = {_type(schema)}\n{_docstring(_lines(schema['description'], ''), '')}"
        base = parent or ("Input" if name in FURTHER["inputs"] else "Answer")
        inherited = self._schemas[parent]["properties"] if parent else {}
        own = {field: one for field, one in schema["properties"].items() if field not in inherited}
        required = schema.get("required", ())
        fields = "".join(_field(name, field, one, is_required=field in required) for field, one in own.items())
        description = _with_summary(_lines(schema["description"], "    "))
        return f"class {name}({base}):\n{_docstring(description, '    ')}\n{fields}"


def _field(schema_name: str, name: str, schema: Schema, *, is_required: bool) -> str:
    type_, value = _type(schema), ""
    if (schema_name, name) in SECRETS:
        value = " = Field(repr=False)"
    elif not is_required:
        default = repr(schema.get("default"))
        type_ = type_ if default != "None" or "None" in type_ else f"{type_} | None"
        value = f" = {DEFAULTS.get(default, default)}"
    return f"    {name}: {type_}{value}\n{_docstring(_lines(_description(schema), '    '), '    ')}"


def _type(schema: Schema) -> str:
    """Return the Python type of a schema. Raises KeyError for a kind of schema that the API did not have yet."""
    match schema:
        case {"$ref": reference}:
            return str(reference).removeprefix(PREFIX)
        case {"enum": values}:
            return f"SkipValidation[Literal[{', '.join(map(repr, values))}]]"
        case {"anyOf": kinds}:
            return " | ".join(_type(kind) for kind in kinds)
        case {"prefixItems": items}:
            types = [_type(item) for item in items]
            return f"tuple[{types[0]}, ...]" if len(types) > 2 else f"tuple[{', '.join(types)}]"
        case {"type": "array", "items": item}:
            return f"tuple[{_type(item)}, ...]"
        case {"type": "object"}:
            return "dict[str, Any]"
        case {"type": "string", "format": "date-time"}:
            return "datetime"
    return TYPES[schema["type"]]


def _description(schema: Schema) -> str:
    kinds = [schema, *schema.get("anyOf", ())]
    return next((one["description"] for one in kinds if "description" in one), "")


def _lines(text: str, margin: str) -> list[str]:
    """Return a text in lines that fit between the margin and the end of a line."""
    width = WIDTH - len(margin) - len('""""""')
    return [part for line in text.split("\n") for part in wrap(line, width) or [""]] if text else []


def _with_summary(lines: list[str]) -> list[str]:
    """Return lines of which the first is a whole sentence, followed by an empty line."""
    if len(lines) == 1 or not lines[1]:
        return lines
    summary, _, rest = lines[0].partition(". ")
    return [f"{summary}.", "", rest, *lines[1:]]


def _docstring(lines: list[str], margin: str) -> str:
    if not lines:
        return ""
    text = "\n".join(lines) + ("\n" if len(lines) > 1 else "")
    return indent(f'"""{text}"""\n', margin)


def _answers(operations: list[Schema]) -> Iterator[str]:
    """Yield the names of the schemas of successful answers."""
    for operation in operations:
        for method in operation.values():
            for status, answer in method["responses"].items():
                if status < "300":
                    yield from _references(answer)


def _references(value: object) -> Iterator[str]:
    """Yield the names of the schemas that a part of the description names."""
    if isinstance(value, dict):
        if str(value.get("$ref", "")).startswith(PREFIX):
            yield value["$ref"].removeprefix(PREFIX)
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


def main(openapi: str, folder: str) -> None:
    """Write all files of the package, except `base.py`. ruff removes unused imports, and sorts and formats the rest."""
    for name, text in Schemas(json.loads(Path(openapi).read_text("utf-8"))).texts().items():
        (Path(folder) / name).write_text(text, "utf-8")
    ruff, config = Path(sys.executable).with_name("ruff"), ROOT / "pyproject.toml"
    for command in (["check", "--fix", "--quiet", "--select=I,F401"], ["format", "--quiet"]):
        subprocess.run([ruff, *command, "--config", config, folder], check=True)  # noqa: S603  # nothing of a stranger


if __name__ == "__main__":
    main(*sys.argv[1:])
