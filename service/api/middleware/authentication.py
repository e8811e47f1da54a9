"""Which access key a request has."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.keyring import Keyring
from service.api.access import PUBLIC_ROUTES
from service.api.middleware.root_path import path_without_root
from service.api.problems import response_to
from service.domain.access import NO_ACCESS, Access, work_with
from service.domain.access_errors import AccessError, KeyInvalid, RateExceeded
from service.domain.errors import StorageUnavailable
from service.observability.outcomes import note_key

PUBLIC_PATHS = PUBLIC_ROUTES | {"/openapi.json"}
"""They need no key, and tell nothing of what is stored."""


class Authentication:
    """Refuses a request without a valid key, before its body is read. The others run with the access of their key.

    The keyring is in the services of the application, because it is opened after the application is described.
    static_paths: the files of the pages, which need no key either.
    """

    def __init__(self, app: ASGIApp, static_paths: Sequence[str]) -> None:
        self._app = app
        self._static_paths = tuple(f"{path}/" for path in static_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._is_public(scope):
            with work_with(NO_ACCESS):
                await self._app(scope, receive, send)
            return
        services = scope["app"].state.services
        keyring: Keyring = services.keyring
        try:
            await services.shared_settings.catch_up()
            access = keyring.authenticate(_presented_key(Headers(scope=scope)))
            scope["access_key"] = access.key  # for the log
            note_key(access.key)
            keyring.count_request(access)
        except (AccessError, RateExceeded, StorageUnavailable) as error:
            await response_to(error)(scope, receive, send)
            return
        with work_with(access):
            await self._app(scope, _receive_while_valid(receive, keyring, access), send)

    def _is_public(self, scope: Scope) -> bool:
        path = path_without_root(scope)
        return path in PUBLIC_PATHS or path.startswith(self._static_paths)


def _receive_while_valid(receive: Receive, keyring: Keyring, access: Access) -> Receive:
    """Check the key again when the body is complete. Otherwise a slow body could do what a revoked key may not."""

    async def receive_while_valid() -> Message:
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            keyring.require_valid(access)
        return message

    return receive_while_valid


def _presented_key(headers: Headers) -> str | None:
    """Return the key of the request. None if there is none. Raises KeyInvalid if there are several."""
    keys = set(headers.getlist("x-api-key"))
    for authorization in headers.getlist("authorization"):
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() == "bearer":
            keys.add(key.strip())
    if len(keys) > 1:
        raise KeyInvalid
    return keys.pop() if keys else None
