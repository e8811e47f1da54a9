"""The line of each request in the audit log."""

import structlog
from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.audit.line import Head
from service.access.audit.request_lines import DECISIONS, AnsweredRequest, Event
from service.api.dependencies import Services
from service.api.middleware.observation import CLIENT_LEFT
from service.api.middleware.origins import SAFE_METHODS
from service.api.middleware.root_path import path_without_root
from service.api.problems import response_to
from service.domain.errors import StorageUnavailable
from service.observability.outcomes import Outcome, request_outcome

RECEIPT_HEADER = "X-Deletion-Receipt"
WITHOUT_WAITING = frozenset({Event.DECISION, Event.SHOWN, Event.REFUSAL})


class RequestAudit:
    """Leaves a line for each decision, change and refusal. A change is answered when its line is written.

    If lines cannot be written, changes are refused before they begin. Decisions go on.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and leave its line."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with request_outcome() as outcome:
            try:
                await _require_log(scope)
            except StorageUnavailable as error:
                await response_to(error)(scope, receive, send)
                return
            await self._run(scope, receive, send, outcome)

    async def _run(self, scope: Scope, receive: Receive, send: Send, outcome: Outcome) -> None:
        answered = False

        async def send_after_line(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start" and not answered:
                answered = True
                request = _request(scope, message["status"], outcome)
                receipt = await _record(request, _services(scope))
                if receipt is not None and request.is_deletion:
                    MutableHeaders(scope=message)[RECEIPT_HEADER] = receipt.receipt
            await send(message)

        try:
            await self._app(scope, receive, send_after_line)
        finally:
            if not answered:  # the client left. What was decided or stored has a line all the same
                _record_unanswered(_request(scope, CLIENT_LEFT, outcome), _services(scope))


async def _require_log(scope: Scope) -> None:
    """Raise StorageUnavailable if the request may change something, and its line could not be written.

    Raises StorageLost if the gallery is gone too: then waiting does not help.
    """
    if scope["method"] in SAFE_METHODS or path_without_root(scope) in DECISIONS:
        return
    services = _services(scope)
    try:
        services.audit.require_writable()
    except StorageUnavailable:
        await to_thread.run_sync(services.gallery.database.check_files)
        raise


def _request(scope: Scope, status: int, outcome: Outcome) -> AnsweredRequest:
    """Describe the request."""
    return AnsweredRequest(
        request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
        method=scope["method"],
        route=getattr(scope.get("route"), "path", "(none)"),
        is_safe=scope["method"] in SAFE_METHODS,
        ids=scope.get("path_params", {}),
        status=status,
        key=outcome.key,
        outcome=outcome,
    )


async def _record(request: AnsweredRequest, services: Services) -> Head | None:
    """Leave the line of a request. For a change, wait until it is written, and return it."""
    event = request.event
    if event is None:
        return None
    fields = request.fields(event, services.audit.secret, services.gallery.has_collection)
    if event not in WITHOUT_WAITING:
        return await services.audit.record_change(fields)
    record = services.audit.record_refusal if event is Event.REFUSAL else services.audit.record
    record(fields)
    return None


def _record_unanswered(request: AnsweredRequest, services: Services) -> None:
    event = request.event
    if event is not None:
        services.audit.record(request.fields(event, services.audit.secret, services.gallery.has_collection))


def _services(scope: Scope) -> Services:
    services: Services = scope["app"].state.services
    return services
