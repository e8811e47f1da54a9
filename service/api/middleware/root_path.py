"""The sub-path under which a proxy offers the service."""

from starlette.types import ASGIApp, Receive, Scope, Send


class RootPath:
    """Accepts paths with and without the sub-path: some proxies remove it, and probes do not know it."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the whole path, and with the sub-path as its `root_path` (as ASGI defines both)."""
        if scope["type"] == "http":
            path = scope["path"]
            whole_path = path if path.startswith(f"{self._root_path}/") else self._root_path + path
            scope = {**scope, "root_path": self._root_path, "path": whole_path}
        await self._app(scope, receive, send)


def path_without_root(scope: Scope) -> str:
    """Return the path of a request as the routes know it."""
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))
