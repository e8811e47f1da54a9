"""The command `facenet`: run the service, or call a running service."""

import os
import signal
import sys

# A service that is told to stop while it imports ends at once: nothing is open yet. Later, the event loop handles the
# signal. Process 1 of a container has no default handler, so without this one it would ignore the signal.
if sys.argv[1:2] == ["serve"]:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

# NumPy and FAISS read these when they are imported. Each call gets one thread, because requests run in parallel.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import DownloadColumn, MofNCompleteColumn, Progress
from rich.table import Table

from service.client import audit, key_commands
from service.client.connection import Connection
from service.client.demo import run_demo
from service.client.enrolment import EnrolmentOptions, FolderEnrolment, OnSeveral
from service.client.enrolment_report import EnrolmentReport
from service.client.face_import import FaceImport
from service.client.options import LOCAL, Folder, KeyFile, Report, Url, connect
from service.client.people_folder import PeopleFolder, read_people
from service.domain.command_errors import ClientError, EmptyFolder, StartupError
from service.domain.errors import RateNotMeasured
from service.observability.heap import limit_heaps
from service.observability.logs import configure_logs
from service.observability.process_limits import raise_descriptor_limit
from service.settings.environment import list_variables, load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
app.add_typer(key_commands.app, name="keys")
app.add_typer(audit.app, name="audit")


def main() -> None:
    """Run the command. An expected error is printed as one line on standard error, and the exit code is 1."""
    try:
        app()
    except (StartupError, ClientError, RateNotMeasured) as error:
        print(f"facenet: {error}", file=sys.stderr)  # noqa: T201  # the log may not be set up yet
        sys.exit(1)


@app.command()
def serve() -> None:
    """Run the service until SIGTERM. Settings come from the environment; `facenet settings` lists them."""
    import uvloop  # noqa: PLC0415  # the other commands need neither the event loop nor the models

    from service.api.server.server import run_server  # noqa: PLC0415
    from service.app import open_app, server_options  # noqa: PLC0415

    settings = load_settings()
    configure_logs(settings.log.level, settings.log.format)
    raise_descriptor_limit()
    limit_heaps()
    uvloop.run(run_server(server_options(settings), partial(open_app, settings)))


@app.command()
def openapi() -> None:
    """Print the OpenAPI description, as the service returns it at /openapi.json."""
    from service.app import describe_app  # noqa: PLC0415  # the other commands need no models

    print(json.dumps(describe_app(load_settings()).openapi(), indent=2))  # noqa: T201  # its output


@app.command()
def settings() -> None:
    """Print every setting: its name, its current value, and what it means."""
    table = Table("setting", "value", "what it is")
    for variable in list_variables(load_settings()):
        table.add_row(variable.name, variable.text, variable.sentence)
    Console().print(table)


@app.command()
def threshold(
    fmr: Annotated[float | None, typer.Option(help="how often two people may match, in /verify")] = None,
    fpir: Annotated[float | None, typer.Option(help="how often a stranger may get a match, in /identify")] = None,
    people: Annotated[
        int | None, typer.Option(min=1, max=10**9, help="with --fpir: how many people are enrolled; default: 1000")
    ] = None,
    photographs: Annotated[
        int | None, typer.Option(min=1, max=1000, help="with --fpir: enrolled photographs of each person; default: 1")
    ] = None,
) -> None:
    """Print the threshold for an error rate, and how many mated pairs do not match there.

    It reads the card of the model FACE_MODELS__EMBEDDER. Give --fmr, or --fpir and --people.
    """
    from service.app import embedder_card  # noqa: PLC0415  # the other commands need no models
    from service.decisions.error_rates.advice import advise_fmr, advise_fpir  # noqa: PLC0415

    if (fmr is None) == (fpir is None):
        raise typer.BadParameter("Give --fmr or --fpir, one of the two.")
    if fpir is None and (people or photographs):
        raise typer.BadParameter("--people and --photographs belong to --fpir. The FMR does not depend on them.")
    rate = fpir if fmr is None else fmr
    if rate is None or not 0 < rate < 1:
        raise typer.BadParameter("A rate is above 0 and below 1, such as 0.0001.")
    card, references = embedder_card(load_settings()), (people or 1000) * (photographs or 1)
    for line in advise_fmr(card, rate) if fpir is None else advise_fpir(card, rate, references):
        print(line)  # noqa: T201  # its output


@app.command()
def enrol(  # noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
    folder: Folder,
    collection: Annotated[str, typer.Option(help="the collection; it is created if it does not exist")] = "default",
    url: Url = LOCAL,
    key_file: KeyFile = None,
    on_several: Annotated[OnSeveral, typer.Option(help="what to do with a photograph of several people")] = "refuse",
    min_quality: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="a face of lower quality is refused; default: the minimum of the model"),
    ] = None,
    report: Report = None,
) -> None:
    """Enrol a folder of people in a running service. Run it again to continue where it stopped.

    Each folder in FOLDER is a person. Nested folders belong to that person.
    Every file with a usual suffix of a photograph is sent (.jpg, .HEIC, ...).
    What is refused or not sent is listed, with the reason.

    The exit code is 0 if every person has an enrolled photograph and no
    photograph was refused. Otherwise it is 1.
    """
    found = read_people(folder)
    options = EnrolmentOptions(on_several, min_quality)
    done = EnrolmentReport()
    done.add(*found.left_out)
    _write_report(done, report)  # if the file cannot be written, the error must come before the photographs are sent
    if found.people:
        done.merge(_enrol_with_progress(found, connect(url, key_file), collection, options))
        _write_report(done, report)
    for line in done.lines():
        print(line)  # noqa: T201  # its output
    if not found.people:
        raise EmptyFolder(folder)
    raise typer.Exit(0 if done.is_complete else 1)


@app.command("import")
def import_faces(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="one face a line, as JSON; may be gzip")],
    collection: Annotated[str, typer.Option(help="the collection; it is created if it does not exist")] = "default",
    url: Url = LOCAL,
    key_file: KeyFile = None,
    report: Report = None,
) -> None:
    """Import embeddings into a running service. Run it again to continue where it stopped.

    Each line of FILE is the body of one face for POST /collections/{collection}/faces.
    The exit code is 0 if no line was refused. Otherwise it is 1.
    """
    done = EnrolmentReport()
    _write_report(done, report)  # if the file cannot be written, the error must come before the lines are sent
    with connect(url, key_file) as service, Progress(*Progress.get_default_columns(), DownloadColumn()) as progress:
        task = progress.add_task(f"Importing {file.name}", total=file.stat().st_size)
        done = FaceImport(service, collection, lambda read: progress.update(task, completed=read)).run(file)
    _write_report(done, report)
    for line in done.lines():
        print(line)  # noqa: T201  # its output
    raise typer.Exit(0 if done.is_complete else 1)


@app.command()
def demo(folder: Folder, url: Url = LOCAL, key_file: KeyFile = None) -> None:
    """Enrol, verify, identify and cluster real photographs in a running service, and show the answers."""
    with connect(url, key_file) as service:
        run_demo(service, folder, Console())


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="the file to write; it must not exist")],
    url: Url = LOCAL,
    key_file: KeyFile = None,
    encrypt_with: Annotated[
        Path | None, typer.Option(help="encrypts the backup; a file of facenet encryption-key")
    ] = None,
) -> None:
    """Save the whole gallery of a running service in one file, as it is at one moment.

    The file holds names and embeddings. They are encrypted if the gallery is, or with --encrypt-with.
    """
    from service.client.backup import save_backup  # noqa: PLC0415  # the other commands need no database
    from service.gallery.backup.archive import describe_key  # noqa: PLC0415
    from service.gallery.records.encryption.key_file import read_key_file  # noqa: PLC0415

    encryption_key = read_key_file(encrypt_with) if encrypt_with else None
    with connect(url, key_file) as service:
        manifest = save_backup(service, file, encryption_key)
    file_key = encryption_key.id if encryption_key else None
    print(f"{file} holds {manifest.summary()}. The file itself is {describe_key(file_key)}.")  # noqa: T201  # its output


@app.command()
def export_subject(
    subject: Annotated[str, typer.Argument(help="the id of the subject")],
    file: Annotated[Path, typer.Argument(help="the file to write; it must not exist")],
    collection: Annotated[str, typer.Option(help="the collection of the subject")] = "default",
    url: Url = LOCAL,
    key_file: KeyFile = None,
) -> None:
    """Save all that a running service knows of one person: fields, faces, embeddings, lines of the audit log."""
    from service.client.export import save_subject  # noqa: PLC0415  # the other commands do not need it

    with connect(url, key_file) as service:
        save_subject(service, collection, subject, file)
    print(f"{file} holds all that is stored about the subject.")  # noqa: T201  # its output


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="a file of facenet backup")],
    decrypt_with: Annotated[Path | None, typer.Option(help="the key file of --encrypt-with")] = None,
) -> None:
    """Make the data directory FACE_DATA_DIR from a backup. It must be empty, and no service may use it.

    FACE_MODELS__EMBEDDER must be a model that can be compared with the embeddings of the backup.
    FACE_GALLERY__ENCRYPTION_KEY_FILE must be the key of the gallery, if it was encrypted.
    """
    from service.app import usable_models  # noqa: PLC0415  # the other commands need no models
    from service.gallery.backup.archive import describe_key  # noqa: PLC0415
    from service.gallery.backup.restore import BackupKeys  # noqa: PLC0415
    from service.gallery.backup.restore import restore as restore_backup  # noqa: PLC0415
    from service.gallery.records.encryption.key_file import read_key_file  # noqa: PLC0415

    settings = load_settings()
    gallery_key = settings.gallery.encryption_key_file
    keys = BackupKeys(
        gallery=read_key_file(gallery_key).id if gallery_key else None,
        file=read_key_file(decrypt_with) if decrypt_with else None,
    )
    manifest = restore_backup(file, settings.data_dir, usable_models(settings), keys)
    file_key = keys.file.id if keys.file else None
    holds = f"{settings.data_dir} holds {manifest.summary()}."
    print(f"{holds} The file itself is {describe_key(file_key)}.")  # noqa: T201  # its output


@app.command()
def encryption_key(file: Annotated[Path, typer.Argument(help="the file to write; it must not exist")]) -> None:
    """Make a random key in a new file that only you can read. For FACE_GALLERY__ENCRYPTION_KEY_FILE or --encrypt-with.

    Keep a copy in another place. Without the key, nobody can read what it encrypted.
    """
    from service.access.secret_file import write_encryption_key  # noqa: PLC0415  # the other commands do not need it

    key = write_encryption_key(file)
    print(f"{file} holds the key {key.id}. Copy it to another place now: without it, nobody can read what it encrypts.")  # noqa: T201  # its output


@app.command()
def rotate_encryption_key(
    old: Annotated[Path, typer.Argument(help="the key file that the gallery has now")],
    new: Annotated[Path, typer.Argument(help="the key file that it gets")],
) -> None:
    """Replace the key of the encrypted gallery in FACE_DATA_DIR. No service may use it.

    Only the keys of the collections are wrapped again, so this does not depend on the number of faces.
    """
    from service.gallery.opening import rotate_encryption_key as rotate  # noqa: PLC0415

    data_dir = load_settings().data_dir
    count = rotate(data_dir, old, new)
    print(f"{count} data keys in {data_dir} are wrapped with the new key. Start the service with {new}.")  # noqa: T201  # its output


def _enrol_with_progress(
    found: PeopleFolder, connection: Connection, collection: str, options: EnrolmentOptions
) -> EnrolmentReport:
    with connection as service, Progress(*Progress.get_default_columns(), MofNCompleteColumn()) as progress:
        task = progress.add_task(f"Enrolling {len(found.people)} people", total=found.photographs)
        return FolderEnrolment(service, collection, options, lambda: progress.advance(task)).run(found.people)


def _write_report(report: EnrolmentReport, file: Path | None) -> None:
    if file is None:
        return
    try:
        file.write_text("".join(f"{line}\n" for line in report.json_lines()), "utf-8")
    except OSError as error:
        raise typer.BadParameter(f"The report cannot be written to {file}: {error.strerror}.") from None


if __name__ == "__main__":
    main()
