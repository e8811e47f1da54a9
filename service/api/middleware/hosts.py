"""The names under which clients can reach the service."""

import re
from collections.abc import Sequence
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.errors.http_errors import HostNotAllowed, HttpError, InvalidHost
from service.api.problems import response_to_http_error

LOCAL_NAME = "localhost"
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,255})(:[0-9]{0,5})?")


class AllowedHosts:
    """Refuses requests to a name that is not the service's own.

    A web page of evil.example can change the address of this name to that of the service (DNS rebinding). For the
    browser, the service is then a part of evil.example, and the page can read and delete everything. But the browser
    still sends the name in `Host`. This cannot be done with an IP address, so every address is accepted. So the probes
    of an orchestrator, which call an address, need no setting.

    names: names without a port. `*.example.com` accepts every name below example.com, `*` every name.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self._app = app
        self._all = "*" in names
        self._names = {LOCAL_NAME, *names}
        self._ends = tuple(name.removeprefix("*") for name in names if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        error = self._check(scope) if scope["type"] == "http" else None
        app = self._app if error is None else response_to_http_error(error)
        await app(scope, receive, send)

    def _check(self, scope: Scope) -> HttpError | None:
        """Return why the request is refused. HTTP/1.1 demands exactly one Host (RFC 9112, section 3.2)."""
        match Headers(scope=scope).getlist("host"):
            case [] if scope["http_version"] == "1.0":  # no browser sends this; load balancers do, as their probe
                return None
            case [host] if found := _HOST.fullmatch(host):
                return None if self._is_allowed(found["host"].lower().removesuffix(".")) else HostNotAllowed()
        return InvalidHost()

    def _is_allowed(self, host: str) -> bool:
        return self._all or host in self._names or host.endswith(self._ends) or _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
