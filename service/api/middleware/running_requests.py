"""How many requests run at the same time."""

from starlette.types import ASGIApp, Receive, Scope, Send

from service.access.shares import SharedLimit
from service.api.middleware.root_path import path_without_root
from service.api.problems import response_to
from service.domain.access import current_access
from service.domain.errors import Overloaded

PROBES = frozenset({"/livez", "/readyz", "/metrics"})
"""They show an operator that the service is busy, so they are answered when it is."""


class RunningRequests:
    """Refuses a request if too many others run, and closes its connection. So probes always have a connection."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        if self._running >= self._limit and scope["type"] == "http" and not _is_probe(scope):
            await _refuse(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1


class RunningRequestsOfKey:
    """Refuses a request if too many others of its access key run. `RunningRequests` limits those of all keys."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._running = SharedLimit(limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        key = current_access().key
        if not (_is_probe(scope) or self._running.has_room(key, 1)):
            await _refuse(scope, receive, send)
            return
        self._running.take(key, 1)
        try:
            await self._app(scope, receive, send)
        finally:
            self._running.give_back(key, 1)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    refusal = response_to(Overloaded("Too many requests run. Try again in a moment.", retry_after_s=1))
    refusal.headers["Connection"] = "close"
    await refusal(scope, receive, send)


def _is_probe(scope: Scope) -> bool:
    return path_without_root(scope) in PROBES
