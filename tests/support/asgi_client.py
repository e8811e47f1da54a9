"""HTTP requests to an application in this process, without a socket."""

import httpx
from starlette.types import ASGIApp


def connect_to_app(app: ASGIApp) -> httpx.AsyncClient:
    """Return a client of the application."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")
