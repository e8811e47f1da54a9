"""`facenet keys`: make, list, rotate and revoke the access keys of a running service."""

import re
import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from facenet_client.calls import Call, json_as, path_of
from facenet_client.schemas import CollectionAnswer, KeyAnswer, NewKeyAnswer
from facenet_client.schemas import Scope as ScopeName
from service.access.new_file import write_new_file
from service.access.secret_file import write_admin_key
from service.commands.connection import Connection
from service.commands.options import LOCAL, KeyFile, Url, connect
from service.commands.output import say
from service.domain.access import Scope
from service.domain.command_errors import ClientError, KeyNotWritten, RequestRefused
from service.domain.errors import CollectionNotFound

app = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke access keys.")

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
COLUMNS = ("id", "label, scopes", "collections", "ends", "last used,\nimages today,\nlimit")
NOT_CUT = frozenset({"id", "ends"})


def _check_id(text: str) -> str:
    """Return the id of a key. Raises typer.BadParameter: a text with slashes or dots would be another path."""
    if not re.fullmatch("[0-9a-f]{12}", text):
        raise typer.BadParameter("An id has 12 hexadecimal digits, as `facenet keys list` prints it.")
    return text


KeyId = Annotated[str, typer.Argument(callback=_check_id, help="the id of the key, as `facenet keys list` prints it")]
Out = Annotated[
    Path | None,
    typer.Option(help="a new file for the key, which only you can read. Default: it is printed"),
]


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
    out: Out = None,
    url: Url = LOCAL,
    key_file: KeyFile = None,
) -> None:
    """Make a key. It is shown this once: the service stores only a hash of it.

    The first key needs the scope admin for all collections.
    With it, the service no longer answers requests without a key.
    """
    scopes = cast("list[ScopeName]", _parse_scopes(scope))
    expires_in_s = None if expires is None else parse_duration_s(expires)
    with connect(url, key_file) as service:
        create_key = partial(
            service.keys.create,
            scopes,
            collections=collection or None,
            label=label,
            expires_in_s=expires_in_s,
            requests_per_minute=requests_per_minute,
            images_per_day=images_per_day,
        )
        _make(create_key, out)
        for name in collection or ():
            _say_if_missing(service, name)


@app.command("list")
def list_keys(
    ended: Annotated[bool, typer.Option("--ended", help="list those that have ended too")] = False,  # noqa: FBT002  # typer's way
    url: Url = LOCAL,
    key_file: KeyFile = None,
) -> None:
    """List the keys: what they allow, and when they were last used."""
    with connect(url, key_file) as service:
        keys = service.keys.list()
    table = Table(*(Column(name, no_wrap=name in NOT_CUT) for name in COLUMNS))
    for key in keys:
        if key.valid or ended:
            table.add_row(*map(escape, _row(key)))
    Console().print(table)


@app.command()
def rotate(
    key: KeyId,
    overlap: Annotated[str, typer.Option(help="how long the old key is still valid, such as 7d")] = "1d",
    out: Out = None,
    url: Url = LOCAL,
    key_file: KeyFile = None,
) -> None:
    """Make a key that allows the same as an old one. The old one ends after the overlap."""
    overlap_s = parse_duration_s(overlap)
    with connect(url, key_file) as service:
        _make(lambda: service.keys.rotate(key, overlap_s=overlap_s), out)


@app.command()
def revoke(key: KeyId, url: Url = LOCAL, key_file: KeyFile = None) -> None:
    """Revoke a key. The next request with it is refused."""
    with connect(url, key_file) as service:
        service.keys.revoke(key)


@app.command()
def generate(file: Annotated[Path, typer.Argument(help="the file to write; it must not exist")]) -> None:
    """Write a new key of the operator to a file, for FACE_ADMIN_KEY_FILE. It needs no running service."""
    write_admin_key(file)


def _make(make: Callable[[], NewKeyAnswer], out: Path | None) -> None:
    """Make a key, and write it to a new file, or alone to standard output. Raises KeyNotWritten."""
    if out is not None and out.exists():
        raise KeyNotWritten(f"{out} exists already. Choose another name. No key was made.")
    key = make()
    try:
        if out is None:
            print(key.key, flush=True)  # noqa: T201  # its output
        else:
            write_new_file(out, f"{key.key}\n")
    except OSError as error:
        raise KeyNotWritten(
            f"The key {key.id} was made and could not be written: {error.strerror}. Revoke it, and make another one."
        ) from None
    print(f"The key {key.id} ends: {_end(key)}. It is not shown again.", file=sys.stderr)  # noqa: T201  # its output


def _say_if_missing(service: Connection, collection: str) -> None:
    """Say that a collection of a new key does not exist. It may be misspelt, or be created later.

    Nothing is said if it cannot be known, for example because the key of the command has no scope `read`.
    """
    try:
        path = path_of("collections", collection)
        service.send(Call("GET", path, json_as(CollectionAnswer), is_repeatable=False))
    except RequestRefused as error:
        if error.problem_code == CollectionNotFound.code:
            say(
                f"There is no collection `{collection}` yet. Requests for it are answered with 404 until it is created."
            )
    except ClientError:  # the key is made: this command has done its work
        pass


def _row(key: KeyAnswer) -> tuple[str, ...]:
    collections = "all" if key.collections is None else ", ".join(key.collections)
    label_and_scopes = f"{key.label or ''}\n{', '.join(key.scopes)}".strip()
    images = f"{key.images_today} of {key.images_per_day}" if key.images_per_day else str(key.images_today)
    use = [_day(key.last_used_at) or "never", images]
    if key.requests_per_minute:
        use.append(f"{key.requests_per_minute:,} a minute")
    return key.id, label_and_scopes, collections, _end(key), "\n".join(use)


def _end(key: KeyAnswer) -> str:
    if key.revoked_at:
        return f"revoked {_day(key.revoked_at)}"
    end = _day(key.expires_at) or "never"
    return end if key.valid or key.expires_at else "not valid here"


def _day(time: datetime | None) -> str:
    return "" if time is None else time.date().isoformat()
