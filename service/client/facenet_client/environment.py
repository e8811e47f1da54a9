"""Where the service is, and the access key: from arguments, or from the environment."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from facenet_client.errors import KeyUnreadable

DEFAULT_URL = "http://127.0.0.1:8000"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Address:
    """A service. Its repr does not have the key."""

    url: httpx.URL
    key: str | None = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    @property
    def uses_proxy(self) -> bool:
        """Whether the proxy of the environment may be used. It must not get a key that is meant for this machine."""
        return self.url.host not in LOOPBACK

    @property
    def http_options(self) -> dict[str, Any]:
        """The options of a client of httpx, sync or async, that sends to this service."""
        return {"base_url": self.url, "headers": self.headers, "trust_env": self.uses_proxy}


def find_service(url: str | None, key: str | None) -> Address:
    """Return the address of the service.

    url: None means the variable FACENET_URL, or http://127.0.0.1:8000.
    key: None means the file that FACENET_KEY_FILE names, or the variable FACENET_KEY, or no key.
    Raises ValueError for what is no URL or no key, and KeyUnreadable.
    """
    text = url or os.environ.get("FACENET_URL") or DEFAULT_URL
    try:
        parsed = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ValueError(f"{text!r} is no URL: {error}") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError(f"{text!r} is no URL of a service. One looks like {DEFAULT_URL}.")
    return Address(parsed, _checked(_key_of_environment() if key is None else key))


def advice_on_tls(address: str) -> str:
    """Return a sentence, after a space, for an address with https:// where nothing answers. Else, an empty text."""
    if not address.startswith("https://"):
        return ""
    return " If the service has no TLS, its address begins with http://."


def read_key(file: str | os.PathLike[str]) -> str:
    """Return the access key in a file. Raises KeyUnreadable."""
    try:
        key = Path(file).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    if not key or not key.isprintable():
        raise KeyUnreadable(f"{os.fspath(file)} cannot be read, or does not hold one line with an access key.")
    return key


def _key_of_environment() -> str:
    file = os.environ.get("FACENET_KEY_FILE")
    return read_key(file) if file else os.environ.get("FACENET_KEY", "")


def _checked(key: str) -> str | None:
    """Return the key, or None for an empty one. Raises ValueError, without the key in its message."""
    if not key.isascii() or not key.isprintable():
        raise ValueError("The key is not one line of ASCII. Was the name of its file given? Use FACENET_KEY_FILE.")
    return key or None
