"""Every refusal that a test receives is one that `/openapi.json` lists for this operation."""

import re
from typing import Any

import httpx

PROBLEM = "application/problem+json"
OF_EVERY_CALL = {"not_found", "method_not_allowed", "invalid_http", "invalid_host", "head_too_large", "internal_error"}
"""The introduction lists them, and not each operation."""


class ListedRefusals:
    """Checks the answers of a service by its API description, as a hook of a client."""

    def __init__(self, description: dict[str, Any]) -> None:
        self._operations = [
            (method.upper(), re.compile(re.sub(r"{\w+}", "[^/]+", path)), operation)
            for path, operations in description["paths"].items()
            for method, operation in operations.items()
        ]

    async def check(self, answer: httpx.Response) -> None:
        """Assert that the code of a problem is listed under its status."""
        if answer.headers.get("content-type") != PROBLEM:
            return
        await answer.aread()
        if answer.content and (code := answer.json()["code"]) not in OF_EVERY_CALL:
            for operation in self._operations_of(answer.request):
                listed = operation["responses"].get(str(answer.status_code), {}).get("x-codes", [])
                assert code in listed, f"{operation['operationId']} does not list {answer.status_code} {code}"

    def _operations_of(self, request: httpx.Request) -> list[dict[str, Any]]:
        method, path = request.method, request.url.path
        return [found for called, pattern, found in self._operations if called == method and pattern.fullmatch(path)]
