"""What the router refuses: a path that is not there, a method that a path does not take."""

from collections.abc import Iterator
from http import HTTPStatus

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from service.api.problems import answer, problem

METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")


def install(app: FastAPI) -> None:
    """Answers such requests as a problem, like all that are refused."""
    app.add_exception_handler(HTTPException, _refuse)  # type: ignore[arg-type]  # called with no other exception


async def _refuse(request: Request, error: HTTPException) -> JSONResponse:
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        methods = ", ".join(_methods(request)) or "GET, HEAD"  # of a folder of files
        detail = f"This path does not take this method. It takes {methods}."
        return answer(problem(status, "method_not_allowed", detail), {"Allow": methods})
    return answer(problem(status, "not_found", "There is nothing at this path; /docs lists what is."))


def _methods(request: Request) -> Iterator[str]:
    """All that the path takes. Starlette names those of the first route alone that has this path."""
    for method in METHODS:
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            yield from ("GET", "HEAD") if method == "GET" else (method,)
