"""How Uvicorn is configured: connections, and the headers of proxies."""

from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from service.api.server.server import uvicorn_config
from service.app import describe_app, server_options
from service.settings.environment import Settings

pytestmark = pytest.mark.anyio

PROXY = "10.1.2.3"


async def seen_client(settings: Settings, connected: str) -> tuple[str, str]:
    """Return the scheme and the client that the application sees."""
    seen: list[tuple[str, str]] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append((scope["scheme"], scope["client"][0]))

    config = uvicorn_config(app, server_options(settings))
    config.load()
    headers = [(b"x-forwarded-for", b"203.0.113.7"), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "scheme": "http", "client": (connected, 1), "headers": headers}
    await config.loaded_app(scope, None, None)
    return seen[0]


@pytest.mark.parametrize("connected", [PROXY, "127.0.0.1"])
async def test_headers_of_proxies_are_not_used_by_default(tmp_path: Path, connected: str) -> None:
    assert await seen_client(Settings(data_dir=tmp_path), connected) == ("http", connected)


@pytest.mark.parametrize("trusted", [PROXY, "10.0.0.0/8", "192.0.2.1, 10.1.0.0/16"])
async def test_the_headers_of_a_trusted_proxy_are_used(monkeypatch: pytest.MonkeyPatch, trusted: str) -> None:
    monkeypatch.setenv("FACE_TRUSTED_PROXIES", trusted)
    assert await seen_client(Settings(), PROXY) == ("https", "203.0.113.7")
    assert await seen_client(Settings(), "127.0.0.1") == ("http", "127.0.0.1")


def test_an_idle_connection_stays_open_longer_than_that_of_most_proxies(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert uvicorn_config(describe_app(settings), server_options(settings)).timeout_keep_alive == 75
