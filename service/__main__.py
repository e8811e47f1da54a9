"""The command `facenet`: serves, and speaks to a running service like any other client."""

import os

# Read when NumPy and FAISS are imported: threads of one call, where requests run side by side already.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from rich.table import Table

from service.client.connection import Connection
from service.client.demo import run as run_demo
from service.client.enrolment import Enrolment, OnSeveral, Report, people_of
from service.errors import ClientError, StartupError
from service.observability import logs
from service.settings import load_settings, variables

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
Url = Annotated[str, typer.Option(help="where the service runs")]
Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="FOLDER/PERSON/PHOTOGRAPH.jpg")]
LOCAL = "http://127.0.0.1:8000"


def main() -> None:
    """Runs the command. What stops a start is told in one line."""
    try:
        app()
    except (StartupError, ClientError) as error:
        print(f"facenet: {error}", file=sys.stderr)  # noqa: T201  # logs may not be configured yet
        sys.exit(1)


@app.command()
def serve() -> None:
    """Serves over HTTP until SIGTERM. Settings come from the environment; `facenet settings` lists them."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the loop hears it: process 1 has no default for it
    import uvloop  # noqa: PLC0415  # the other commands need neither loop nor models

    from service.server import serve as run  # noqa: PLC0415

    settings = load_settings()
    logs.configure(settings.log.level, settings.log.format)
    uvloop.run(run(settings))


@app.command()
def openapi() -> None:
    """Prints the description of the HTTP API, as the service gives it at /openapi.json."""
    from service.app import describe_app  # noqa: PLC0415  # the other commands need no models

    print(json.dumps(describe_app(load_settings()).openapi(), indent=2))  # noqa: T201  # its output


@app.command()
def settings() -> None:
    """Prints every setting: what is in force, and what it means."""
    table = Table("setting", "in force", "what it is")
    for one in variables(load_settings()):
        table.add_row(one.name, str(one.value), one.sentence)
    Console().print(table)


@app.command()
def enrol(
    folder: Folder,
    collection: Annotated[str, typer.Option(help="where to; it is created if it is not there")] = "default",
    url: Url = LOCAL,
    on_several: Annotated[OnSeveral, typer.Option(help="what to do with a photograph of several people")] = "refuse",
    report: Annotated[Path | None, typer.Option(help="a JSON line for every photograph that was refused")] = None,
) -> None:
    """Enrols a folder of identities in a running service. Run it again to go on where it stopped."""
    people = people_of(folder)
    photographs = sum(len(person.photographs) for person in people)
    with Connection(url) as service, Progress(*Progress.get_default_columns(), MofNCompleteColumn()) as progress:
        task = progress.add_task(f"Enrolling {len(people)} people", total=photographs)
        found = Enrolment(service, collection, on_several, lambda: progress.advance(task)).run(people)
    if report:
        lines = ({"file": str(one.file), "code": one.code, "detail": one.detail} for one in found.refusals)
        report.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    _show(found)


@app.command()
def demo(folder: Folder, url: Url = LOCAL) -> None:
    """Enrols, verifies, identifies and clusters real photographs in a running service, and shows the answers."""
    with Connection(url) as service:
        run_demo(service, folder, Console())


def _show(report: Report) -> None:
    reasons = Counter(one.code for one in report.refusals)
    for what in ("enrolled", "known", "refused"):
        detail = ", ".join(f"{count} {code}" for code, count in reasons.most_common()) if what == "refused" else ""
        print(f"{what:9} {report.counts[what]:7}  {detail}".rstrip())  # noqa: T201  # its output


if __name__ == "__main__":
    main()
