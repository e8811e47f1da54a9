"""The id, the log line and the timings of every request."""

import re
import uuid
from time import perf_counter

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import internal_error
from service.observability.logs import places
from service.observability.metrics import REQUEST_SECONDS
from service.observability.stages import request_stages

_log = structlog.stdlib.get_logger("service.request")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
CLIENT_LEFT = 499
"""The status if the client left before its body was complete. It is in logs and metrics only: nobody receives it."""

NOT_LOGGED = frozenset({"/livez", "/readyz", "/metrics"})


class RequestObservation:
    """Adds X-Request-ID and Server-Timing to every response, counts and logs it, and answers unexpected errors."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, then count and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start_s = perf_counter()
        method, scope = scope["method"], _head_as_get(scope)
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
                await self._run(scope, receive, send_with_headers)
            finally:
                _record(method, scope, status, perf_counter() - start_s)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  # after any error, the client gets a response and the log a line
            # The message of the error is left out: it can hold what a client sent, or a path.
            _log.error("failed", error=type(error).__name__, at=places(error.__traceback__))
            if not started:
                await internal_error()(scope, receive, send)


def _head_as_get(scope: Scope) -> Scope:
    """Handle HEAD as GET (RFC 9110, section 9.3.2). The server leaves out the body."""
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope


def _request_id(scope: Scope) -> str:
    """Return the client's id if it is harmless, otherwise a new id. The logs of both sides can be joined by this id."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _server_timing(stages_s: dict[str, float]) -> str:
    return ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in stages_s.items())


def _record(method: str, scope: Scope, status: int, seconds: float) -> None:
    """Count and log the request.

    The path of its route is a pattern, such as /collections/{collection}, so it holds no id of a client. The id of its
    access key is no secret.
    """
    route = getattr(scope.get("route"), "path", "(none)")
    REQUEST_SECONDS.labels(method, route, str(status)).observe(seconds)
    if route not in NOT_LOGGED:
        key = scope.get("access_key")
        _log.info("answered", method=method, route=route, status=status, ms=round(seconds * 1000, 1), key=key)
