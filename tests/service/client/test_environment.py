"""The address and the key come from arguments, or from the environment. The key is never shown."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from facenet_client import AsyncClient, Client, KeyUnreadable
from facenet_client.environment import find_service

KEY = "fk_0123_secret"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FACENET_URL", "FACENET_KEY", "FACENET_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "door.key"
    file.write_text(f"{KEY}\n")
    return file


def sent_key(**arguments: Any) -> str | None:
    """Return the header with the key that a client sends."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"status": "ready"})

    with Client(transport=httpx.MockTransport(answer), **arguments) as client:
        client.ready()
    header: str | None = requests[0].headers.get("Authorization")
    return header


def test_the_defaults_are_this_machine_and_no_key() -> None:
    address = find_service(None, None)
    assert (str(address.url), address.key) == ("http://127.0.0.1:8000", None)
    assert sent_key() is None


def test_an_argument_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACENET_URL", "https://faces.example.com")
    monkeypatch.setenv("FACENET_KEY", "other")
    assert str(find_service(None, None).url) == "https://faces.example.com"
    assert str(find_service("http://10.0.0.1:8000", None).url) == "http://10.0.0.1:8000"
    assert sent_key() == "Bearer other"
    assert sent_key(key=KEY) == f"Bearer {KEY}"
    assert sent_key(key="") is None


def test_the_key_file_comes_before_the_key_of_the_environment(monkeypatch: pytest.MonkeyPatch, key_file: Path) -> None:
    monkeypatch.setenv("FACENET_KEY", "other")
    monkeypatch.setenv("FACENET_KEY_FILE", str(key_file))
    assert sent_key() == f"Bearer {KEY}"


@pytest.mark.parametrize("content", [None, b"", b" \n", b"two\nlines", b"\xff\xfe", b"a\x00b"], ids=repr)
def test_a_file_without_a_key_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "door.key"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("FACENET_KEY_FILE", str(file))
    with pytest.raises(KeyUnreadable, match=r"door\.key cannot be read"):
        Client()


@pytest.mark.parametrize("key", ["two\nlines", "k\u00e9y"])
def test_what_is_no_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="not one line of ASCII") as error:
        Client(key=key)
    assert key not in str(error.value)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "faces", "ftp://faces", "http://", "http://a:b"])
def test_what_is_no_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValueError, match=r"is no URL"):
        Client(url)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_no_repr_shows_the_key(kind: Any) -> None:
    client = kind("http://user:password@127.0.0.1:8000", key=KEY)
    shown = repr(client) + repr(client._transport) + repr(client.keys) + repr(client.collection("staff"))  # noqa: SLF001
    assert "127.0.0.1:8000" in shown
    assert "password" not in shown
    assert "secret" not in shown + repr(find_service(None, KEY))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_a_proxy_of_the_environment_does_not_get_what_is_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.com:3128")
    assert not find_service(url, None).uses_proxy
    assert find_service("http://faces.example.com", None).uses_proxy


def test_the_path_of_the_address_is_kept() -> None:
    """A proxy can offer the service under a sub-path."""
    urls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        return httpx.Response(200, json={"status": "ready"})

    for url in ("http://faces.example.com/faces", "http://faces.example.com/faces/"):
        with Client(url, transport=httpx.MockTransport(answer)) as client:
            client.ready()
    assert urls == ["http://faces.example.com/faces/readyz"] * 2
