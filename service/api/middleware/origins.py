"""Which web pages can send requests that change something."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.errors.http_errors import OriginNotAllowed
from service.api.problems import response_to_http_error

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""They change nothing (RFC 9110, section 9.2.1). A page of another origin cannot read their answers without CORS."""


class AllowedOrigins:
    """Refuses requests of the web pages of other origins, with every method that is not safe.

    A browser sends a form of any page to any address, without asking first. So the page of a stranger could enrol a
    face. But a browser says in `Sec-Fetch-Site` and `Origin` where the request comes from, and a page cannot change
    these headers. Other clients, such as curl, send neither. (OWASP, Cross-Site Request Forgery Prevention Cheat Sheet:
    Fetch Metadata headers, and verification of the origin if there are none.)

    origins: the origins whose pages can call the service, as in CORS. `*`: all.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._all = "*" in origins
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        is_refused = scope["type"] == "http" and scope["method"] not in SAFE_METHODS and not self._is_allowed(scope)
        app = response_to_http_error(OriginNotAllowed()) if is_refused else self._app
        await app(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if self._all or site == "same-origin" or origin in self._origins:
            return True
        if site not in {None, "none"}:
            return False
        return origin is None or origin.partition("://")[2] == headers.get("host", "").lower()
