"""The commands `facenet audit`. They read the data directory, with or without a running service, and change nothing."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from service.access.audit.files import FOLDER, last_head, log_files
from service.access.audit.line import Head
from service.access.audit.search import LineFilter, find_lines, find_receipt, is_receipt
from service.access.audit.secret import AuditSecret, read_secret
from service.access.audit.verification import ChainBroken, Verification, size_bytes
from service.domain.command_errors import AuditUnusable
from service.gallery.records.sqlite.data_directory import DATABASE_FILE

if TYPE_CHECKING:
    from service.gallery.records.sqlite.reading_beside import AuditFacts

app = typer.Typer(no_args_is_help=True, help="Check and read the audit log in FACE_DATA_DIR.")
ON_SERVER = (
    "It does not say whether bytes of it are left: the records are in PostgreSQL. docs/replicas.md says how long bytes "
    "can stay in its files."
)
RESTORED = (
    "But later the database was restored from a backup of {copied_at}, which is older than this deletion. So the "
    "{what} is in the gallery again. Delete it again, if that was not done since: the new receipt is the proof "
    "(docs/erasure.md)."
)
NOT_FOUND = (
    "This receipt is not genuine, or the log no longer has its line: lines are kept for FACE_AUDIT__KEEP_DAYS, and a "
    "gallery that was restored without the directory audit/ has a new log (docs/erasure.md). facenet audit verify says "
    "whether the log is damaged."
)
_HEAD = re.compile(r"([0-9]{1,15})-([0-9a-f]{64})")


class _Log:
    """The audit log of the settings. Raises AuditUnusable if there is none."""

    def __init__(self) -> None:
        from service.settings.environment import load_settings  # noqa: PLC0415  # the other commands need no settings

        settings = load_settings()
        self.folder = settings.data_dir / FOLDER
        if not self.folder.is_dir():
            raise AuditUnusable(f"{settings.data_dir} has no audit log. Set FACE_DATA_DIR as the service has it.")
        self._secret_file = settings.audit.secret_in(settings.data_dir)
        self._database = settings.data_dir / DATABASE_FILE
        self.is_on_server = settings.gallery.url is not None

    @property
    def secret(self) -> AuditSecret:
        return read_secret(self._secret_file)

    @property
    def facts(self) -> "AuditFacts | None":
        from service.gallery.records.sqlite.reading_beside import read_audit_facts  # noqa: PLC0415  # other commands need none

        return read_audit_facts(self._database)


@app.command()
def verify(
    head: Annotated[
        str | None, typer.Option(help="a line that the log must still have, as `facenet audit head` printed it")
    ] = None,
) -> None:
    """Check that no line was changed, removed, inserted or moved. The exit code is 1 if one was."""
    log = _Log()
    facts = log.facts
    heads = [Head(*facts.noted_head)] if facts and facts.noted_head else []
    heads += [_parse_head(head)] if head else []
    with _reading(log.folder), _progress() as progress:
        task = progress.add_task("Checking the audit log", total=size_bytes(log.folder))
        check = Verification(log.secret, heads, lambda count: progress.advance(task, count))
        try:
            chain = check.run(log.folder)
        except ChainBroken as finding:
            progress.stop()
            print(finding)  # noqa: T201  # its output
            raise typer.Exit(1) from None
    noted = "No line was noted."
    if log.is_on_server:
        noted = "The line that PostgreSQL has noted is not compared: keep a line elsewhere, and pass it with --head."
    elif facts and facts.noted_head:
        noted = f"The database has noted line {heads[0].sequence}."
    print(f"The lines {chain.first} to {chain.head.sequence} are as they were written. {noted}")  # noqa: T201


@app.command()
def head() -> None:
    """Print the number and the hash of the last line. Store it elsewhere, and give it to `verify --head` later."""
    log = _Log()
    with _reading(log.folder):
        print(last_head(log_files(log.folder)))  # noqa: T201  # its output


@app.command()
def show(
    collection: Annotated[str | None, typer.Option(help="only lines about this collection")] = None,
    subject: Annotated[str | None, typer.Option(help="only lines about this subject of the collection")] = None,
    key: Annotated[str | None, typer.Option(help="only lines of the access key with this id")] = None,
) -> None:
    """Print lines as JSON, the oldest first. Lines of the last second may not be written yet."""
    if subject is not None and collection is None:
        raise typer.BadParameter("A subject is in a collection: pass --collection too.")
    log = _Log()
    with _reading(log.folder):
        for fields in find_lines(log.folder, LineFilter.of(log.secret, collection, subject, key)):
            print(json.dumps(fields))  # noqa: T201  # its output


@app.command()
def receipt(
    text: Annotated[str, typer.Argument(metavar="RECEIPT", help="the X-Deletion-Receipt of an answer")],
) -> None:
    """Say whether the receipt of a deletion is genuine, and whether the remains are gone from the disk."""
    _require_receipt(text)
    log = _Log()
    with _reading(log.folder):
        line = find_receipt(log.folder, log.secret, text)
    if line is None:
        print(NOT_FOUND)  # noqa: T201  # its output
        raise typer.Exit(1)
    deleted_at = datetime.fromisoformat(line["time"])
    what = line["route"].rpartition("{")[2].removesuffix("}")  # /collections/{collection}/faces/{face}
    print(f"Genuine: a {what} was deleted at {line['time']}, in the collection {line['collection']}.")  # noqa: T201
    if log.is_on_server:
        print(ON_SERVER)  # noqa: T201  # its output
        return
    facts = log.facts
    restored = [one for one in facts.restores if one.brings_back(deleted_at)] if facts else []
    if restored:
        print(RESTORED.format(what=what, copied_at=restored[-1].copied_at.isoformat()))  # noqa: T201
        raise typer.Exit(1)
    print(_describe_remains(deleted_at, facts))  # noqa: T201  # its output


def _describe_remains(deleted_at: datetime, facts: "AuditFacts | None") -> str:
    if facts is None:
        return "The database cannot be read, so it is not known whether bytes of it are left."
    rewritten_at = facts.remains.rewritten_at
    if rewritten_at is not None and rewritten_at > deleted_at:
        return f"Nothing of it is left in the data directory. It was last rewritten at {rewritten_at.isoformat()}."
    if not facts.remains.needs_rewrite:
        return "Nothing of it is left in the data directory."
    return (
        "The database file can still hold bytes of it. A running service removes them within about a minute, or later "
        "in a large gallery (face_gallery_remains in /metrics)."
    )


def _require_receipt(text: str) -> None:
    """Raise typer.BadParameter for what has not the form of a receipt. It is mistyped, and nobody has forged it."""
    if not is_receipt(text):
        raise typer.BadParameter(
            "This has not the form of a receipt: a number, a minus, and 32 digits or letters a to f, such as "
            "812-0c2ab41f7be2a8c9d1f8a8f80a3c7f52. It may be cut off: copy the whole X-Deletion-Receipt of the answer."
        )


def _parse_head(text: str) -> Head:
    found = _HEAD.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter("--head is what `facenet audit head` printed: a number, a minus, and 64 digits.")
    return Head(int(found[1]), bytes.fromhex(found[2]))


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # of the output, and not of the log
        raise
    except OSError as error:
        raise AuditUnusable(f"The audit log in {folder} cannot be read ({error.strerror}). Try again.") from None


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
