"""`facenet export`, `import` and `export-subject`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn

from service.commands.connection import explains_missing
from service.commands.enrolment.report import EnrolmentReport
from service.commands.moving.face_import import FaceImport, require_faces
from service.commands.options import LOCAL, KeyFile, Report, Url, check_id, connect, write_report

app = typer.Typer()
DEFAULT = "default"


@app.command()
def export(
    collection: Annotated[str, typer.Argument(callback=check_id, help="the collection")],
    file: Annotated[Path, typer.Argument(help="the file to write; it must not exist")],
    url: Url = LOCAL,
    key_file: KeyFile = None,
) -> None:
    """Save a whole collection of a running service: subjects, faces, embeddings. facenet import FILE imports it.

    The file is NDJSON, compressed with gzip. It holds names and embeddings as they are.
    """
    from service.commands.moving import collection_file  # noqa: PLC0415  # the other commands need no database

    with connect(url, key_file) as service, explains_missing(collection), _lines_progress() as bar:
        task = bar.add_task(f"Exporting {collection}", total=None)
        progress = collection_file.Progress(
            lambda total: bar.update(task, total=total), lambda lines: bar.advance(task, lines)
        )
        saved = collection_file.save_collection(service, collection, file, progress)
        bar.update(task, total=saved.subjects + saved.faces, completed=saved.subjects + saved.faces)
    print(f"{file} holds {saved.subjects:,} subjects and {saved.faces:,} faces of {collection}.")  # noqa: T201  # its output


@app.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="a file of facenet export, or one face a line, as JSON; may be gzip"
        ),
    ],
    collection: Annotated[
        str | None,
        typer.Option(
            callback=check_id, help="the collection. Default: that of the export, or `default` for a file of faces"
        ),
    ] = None,
    url: Url = LOCAL,
    key_file: KeyFile = None,
    report: Report = None,
) -> None:
    """Import a collection, or embeddings, into a running service. Run it again to continue where it stopped.

    A file of facenet export becomes a collection, which must not exist or be empty.
    In any other file, each line is the body of one face for POST /collections/{collection}/faces.
    The exit code is 0 if no line was refused. Otherwise it is 1.
    """
    from service.gallery.backup.collection_file import is_collection_file  # noqa: PLC0415  # it needs the database

    if is_collection_file(file):
        _import_collection(file, collection, url, key_file)
    else:
        _import_faces(file, collection or DEFAULT, url, key_file, report)


@app.command()
def export_subject(
    subject: Annotated[str, typer.Argument(callback=check_id, help="the id of the subject")],
    file: Annotated[Path, typer.Argument(help="the file to write; it must not exist")],
    collection: Annotated[str, typer.Option(callback=check_id, help="the collection of the subject")] = DEFAULT,
    url: Url = LOCAL,
    key_file: KeyFile = None,
) -> None:
    """Save all that a running service knows of one person: fields, faces, embeddings, lines of the audit log."""
    from service.commands.moving.subject_export import save_subject  # noqa: PLC0415  # the other commands do not need it

    with connect(url, key_file) as service, explains_missing(collection):
        save_subject(service, collection, subject, file)
    print(f"{file} holds all that is stored about the subject.")  # noqa: T201  # its output


def _import_collection(file: Path, collection: str | None, url: str, key_file: Path | None) -> None:
    from service.commands.moving import collection_file  # noqa: PLC0415  # the other commands need no database
    from service.gallery.backup.collection_file import announced, check_file  # noqa: PLC0415

    with connect(url, key_file) as service, _lines_progress() as bar:
        checking = bar.add_task(f"Checking {file.name}", total=announced(file))
        checked = check_file(file, lambda count: bar.advance(checking, count))
        name, lines = collection or checked.collection, checked.subjects + checked.faces
        bar.update(checking, total=lines, completed=lines)
        task = bar.add_task(f"Importing {name}", total=lines)
        progress = collection_file.Progress(lambda _: None, lambda count: bar.advance(task, count))
        collection_file.send_collection(service, name, file, progress)
    print(f"The collection {name} has {checked.subjects:,} subjects and {checked.faces:,} faces.")  # noqa: T201  # its output


def _import_faces(file: Path, collection: str, url: str, key_file: Path | None, report: Path | None) -> None:
    require_faces(file)
    done = EnrolmentReport()
    write_report(done, report)  # if the file cannot be written, the error must come before the lines are sent
    with connect(url, key_file) as service, Progress(*Progress.get_default_columns(), DownloadColumn()) as progress:
        task = progress.add_task(f"Importing {file.name}", total=file.stat().st_size)
        done = FaceImport(service, collection, lambda read: progress.update(task, completed=read)).run(file)
    write_report(done, report)
    for line in done.lines():
        print(line)  # noqa: T201  # its output
    raise typer.Exit(0 if done.is_complete else 1)


def _lines_progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), MofNCompleteColumn())
