"""The types of settings that name places in a network: paths, hosts, origins, addresses."""

import re
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode


def _split(value: object) -> object:
    """Split a value of the environment at its commas."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _check_root_path(path: str) -> str:
    """Return the sub-path. Raises ValueError."""
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", path):
        raise ValueError("a sub-path starts with / and does not end with it, as in /faces")
    return path


def _check_origin(origin: str) -> str:
    """Return the origin. Raises ValueError. A browser sends the scheme, the host and the port, and nothing else."""
    url = urlsplit(origin)
    if origin != "*" and (url.scheme not in {"http", "https"} or origin != f"{url.scheme}://{url.netloc.lower()}"):
        raise ValueError("an origin is written as https://example.com or http://localhost:3000, without a path")
    return origin


def _check_host(host: str) -> str:
    """Return the name of a host. Raises ValueError."""
    if host != "*" and not re.fullmatch(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", host):
        raise ValueError("a host is written as faces.example.com or *.example.com, without a scheme and a port")
    return host.lower()


def _check_network(address: str) -> str:
    """Return the address or the network. Raises ValueError."""
    ip_network(address)
    return address


RootPath = Annotated[str, AfterValidator(_check_root_path)]
Hosts = Annotated[tuple[Annotated[str, AfterValidator(_check_host)], ...], NoDecode, BeforeValidator(_split)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_check_origin)], ...], NoDecode, BeforeValidator(_split)]
Addresses = Annotated[tuple[Annotated[str, AfterValidator(_check_network)], ...], NoDecode, BeforeValidator(_split)]
