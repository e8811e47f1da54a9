"""HTTP without a socket."""

import httpx
from starlette.types import ASGIApp


def connect(app: ASGIApp) -> httpx.AsyncClient:
    """A client of an application in this process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")
