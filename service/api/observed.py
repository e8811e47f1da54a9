"""Around every request, as plain ASGI: its id, its log line, its timings."""

import re
import traceback
import uuid
from time import perf_counter

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import internal_error
from service.observability.metrics import REQUEST_SECONDS
from service.observability.stages import request_stages

_log = structlog.stdlib.get_logger("service.request")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
CLIENT_LEFT = 499
"""What logs and metrics call a request whose client went before all of its body came; nobody is answered."""

QUIET = frozenset({"/livez", "/readyz", "/metrics"})


class Observed:
    """Gives every answer an X-Request-ID and Server-Timing, counts it, logs it, and answers for what nobody caught."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start_s = perf_counter()
        method, scope = scope["method"], _as_get(scope)
        request_id = _request_id(scope)
        status = CLIENT_LEFT

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["Server-Timing"] = _server_timing(stages | {"total": perf_counter() - start_s})
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id), request_stages() as stages:
            try:
                await self._answer(scope, receive, send_with_headers)
            finally:
                _tell(method, scope.get("route"), status, perf_counter() - start_s)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  # whatever it is, the client gets an answer and the operator a line
            _log.error("failed", error=type(error).__name__, at=_frames(error))
            if not started:
                await internal_error()(scope, receive, send)


def _frames(error: Exception) -> list[str]:
    """Where it happened, without what it says: a message may hold what a client sent, a traceback a path."""
    return [f"{frame.f_globals.get('__name__')}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)]


def _as_get(scope: Scope) -> Scope:
    """HEAD is answered as GET is (RFC 9110, section 9.3.2); the server leaves the body out."""
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope


def _request_id(scope: Scope) -> str:
    """The client's own where it is harmless, so that logs of both sides can be joined; else a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _server_timing(stages_s: dict[str, float]) -> str:
    return ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in stages_s.items())


def _tell(method: str, found: object, status: int, seconds: float) -> None:
    """found: the route; its path is a pattern, such as /collections/{collection}, and holds no id."""
    route = getattr(found, "path", "(none)")
    REQUEST_SECONDS.labels(method, route, str(status)).observe(seconds)
    if route not in QUIET:
        _log.info("answered", method=method, route=route, status=status, ms=round(seconds * 1000, 1))
