"""`facenet keys`: make, list, rotate and revoke the access keys of a running service."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from service.access.secret_file import write_admin_key
from service.client.connection import JsonObject
from service.client.options import LOCAL, KeyFile, Url, connect
from service.domain.access import Scope

app = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke access keys.")

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
COLUMNS = ("label", "scopes", "collections", "ends", "last used", "images today")
KeyId = Annotated[str, typer.Argument(help="the id of the key, as `facenet keys list` prints it")]


def parse_duration_s(text: str) -> int:
    """Return the seconds of a duration such as 90d, 12h, 30m or 45s. Raises typer.BadParameter."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if found is None:
        raise typer.BadParameter("A duration is a number and a unit, such as 90d, 12h, 30m or 45s.")
    return int(found[1]) * SECONDS[found[2]]


def _parse_scopes(text: str) -> list[Scope]:
    """Return the scopes of a list with commas. Raises typer.BadParameter."""
    try:
        return [Scope(name.strip()) for name in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"The scopes are {', '.join(Scope)}, separated by commas.") from None


@app.command()
def create(  # noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
    scope: Annotated[str, typer.Option(help="what the key allows, such as verify,read,enrol,admin,metrics")],
    collection: Annotated[
        list[str] | None, typer.Option(help="a collection that the key sees; repeat it for several. Default: all")
    ] = None,
    expires: Annotated[str | None, typer.Option(help="how long it is valid, such as 90d. Default: no end")] = None,
    label: Annotated[str | None, typer.Option(help="a note for people, such as the name of a door")] = None,
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help="the most requests. Default: no limit")] = None,
    images_per_day: Annotated[int | None, typer.Option(min=1, help="the most images. Default: no limit")] = None,
    url: Url = LOCAL,
    key_file: KeyFile = None,
) -> None:
    """Make a key, and print it. It is printed this once: the service stores only a hash of it.

    The first key needs the scope admin for all collections.
    With it, the service no longer answers requests without a key.
    """
    body = {
        "scopes": _parse_scopes(scope),
        "collections": collection or None,
        "label": label,
        "expires_in_s": None if expires is None else parse_duration_s(expires),
        "requests_per_minute": requests_per_minute,
        "images_per_day": images_per_day,
    }
    with connect(url, key_file) as service:
        _print_new(service.call("POST", "/keys", json=body))


@app.command("list")
def list_keys(url: Url = LOCAL, key_file: KeyFile = None) -> None:
    """List all keys: what they allow, and when they were last used."""
    with connect(url, key_file) as service:
        keys = service.call("GET", "/keys")["items"]
    table = Table(Column("id", no_wrap=True), *COLUMNS)
    for key in keys:
        table.add_row(*_row(key))
    Console().print(table)


@app.command()
def rotate(
    key: KeyId,
    overlap: Annotated[str, typer.Option(help="how long the old key is still valid, such as 7d")] = "1d",
    url: Url = LOCAL,
    key_file: KeyFile = None,
) -> None:
    """Make a key that allows the same as an old one, and print it. The old one ends after the overlap."""
    with connect(url, key_file) as service:
        _print_new(service.call("POST", f"/keys/{key}/rotate", params={"overlap_s": parse_duration_s(overlap)}))


@app.command()
def revoke(key: KeyId, url: Url = LOCAL, key_file: KeyFile = None) -> None:
    """Revoke a key. The next request with it is refused."""
    with connect(url, key_file) as service:
        service.call("DELETE", f"/keys/{key}")


@app.command()
def generate(file: Annotated[Path, typer.Argument(help="the file to write; it must not exist")]) -> None:
    """Write a new key of the operator to a file, for FACE_ADMIN_KEY_FILE. It needs no running service."""
    write_admin_key(file)


def _print_new(key: JsonObject) -> None:
    """Print the key alone on standard output, so that `> FILE` stores it."""
    print(f"The key {key['id']} ends: {_end(key)}. Store it now, it is not shown again.", file=sys.stderr)  # noqa: T201  # its output
    print(key["key"])  # noqa: T201  # its output


def _row(key: JsonObject) -> tuple[str, ...]:
    collections = "all" if key["collections"] is None else ", ".join(key["collections"])
    images = f"{key['images_today']} of {key['images_per_day']}" if key["images_per_day"] else str(key["images_today"])
    last_used = _time(key["last_used_at"]) or "never"
    return key["id"], key["label"] or "", ", ".join(key["scopes"]), collections, _end(key), last_used, images


def _end(key: JsonObject) -> str:
    return f"revoked {_time(key['revoked_at'])}" if key["revoked_at"] else _time(key["expires_at"]) or "never"


def _time(text: str | None) -> str:
    return "" if text is None else text.replace("T", " ")[:16] + " UTC"
