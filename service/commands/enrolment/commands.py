"""`facenet enrol` and `delete-subject`."""

from collections.abc import Iterator
from typing import Annotated

import typer

from service.commands.connection import Connection
from service.commands.enrolment.folder_enrolment import EnrolmentOptions, FolderEnrolment, OnSeveral
from service.commands.enrolment.people_folder import PeopleFolder, read_people
from service.commands.enrolment.report import EnrolmentReport
from service.commands.options import (
    LOCAL,
    KeyFile,
    PeopleDirectory,
    Report,
    Url,
    check_id,
    connect,
    photographs_progress,
    write_report,
)
from service.commands.output import explains_interrupt
from service.commands.photographs.folder_reader import SUFFIXES
from service.domain.command_errors import (
    EmptyFolder,
    RequestRefused,
    SubjectMissing,
    Unreachable,
    WithoutPeople,
)

app = typer.Typer()

Collection = Annotated[str, typer.Option(callback=check_id, help="the collection; it is created if it does not exist")]
MISSING_CODES = {"collection_not_found", "subject_not_found"}
GO_ON = "What was answered is enrolled. Run the same command again: it sends only what is missing."


@app.command()
def enrol(  # noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
    folder: PeopleDirectory,
    collection: Collection = "default",
    url: Url = LOCAL,
    key_file: KeyFile = None,
    on_several: Annotated[OnSeveral, typer.Option(help="what to do with a photograph of several people")] = "refuse",
    min_quality: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="a face of lower quality is refused; default: the minimum of the model"),
    ] = None,
    again: Annotated[  # noqa: FBT002  # typer's way
        bool, typer.Option("--again", help="send photographs that are enrolled too: faces without a crop get one")
    ] = False,
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
    write_report(done, report)  # if the file cannot be written, the error must come before the photographs are sent
    if found.people:
        with explains_interrupt(GO_ON):
            done.merge(_enrol_with_progress(found, connect(url, key_file), collection, options, again=again))
        write_report(done, report)
    for line in done.lines():
        print(line)  # noqa: T201  # its output
    for line in _advice(done, options, has_report=report is not None):
        print(line)  # noqa: T201  # its output
    if not found.people:
        raise WithoutPeople(folder) if _has_photograph(found) else EmptyFolder(folder)
    raise typer.Exit(0 if done.is_complete else 1)


@app.command()
def delete_subject(
    subject: Annotated[str, typer.Argument(callback=check_id, help="the id of the subject")],
    collection: Annotated[str, typer.Option(callback=check_id, help="the collection of the subject")] = "default",
    url: Url = LOCAL,
    key_file: KeyFile = None,
) -> None:
    """Delete a person from a collection of a running service: fields, faces, embeddings, and crops if there are any.

    It cannot be undone. The command prints the receipt of the deletion: facenet audit receipt RECEIPT checks it.
    Other collections, and files that were saved, are not changed.
    """
    unknown = f"It is not known whether {subject} was deleted. Run the command again."
    with explains_interrupt(unknown), connect(url, key_file) as service:
        try:
            receipt = service.collection(collection).delete_subject(subject)
        except Unreachable as error:
            raise Unreachable(f"{error} {unknown}") from None
        except RequestRefused as error:
            raise (SubjectMissing(subject, collection) if error.problem_code in MISSING_CODES else error) from None
    print(f"{subject} is deleted from the collection {collection}, with all faces.")  # noqa: T201  # its output
    print(f"Receipt: {receipt or 'none, because the audit log could not be written'}")  # noqa: T201  # its output


def _has_photograph(found: PeopleFolder) -> bool:
    """Return whether there is a photograph beside the folders of the people."""
    return any(item.code == "no_person" and item.path.suffix.lower() in SUFFIXES for item in found.left_out)


def _enrol_with_progress(
    found: PeopleFolder, connection: Connection, collection: str, options: EnrolmentOptions, *, again: bool
) -> EnrolmentReport:
    what = f"Enrolling {len(found.people)} people"
    with connection as service, photographs_progress(what, found.photographs) as done:
        return FolderEnrolment(service, collection, options, done, again).run(found.people)


def _advice(done: EnrolmentReport, options: EnrolmentOptions, *, has_report: bool) -> Iterator[str]:
    """Return what can be done about photographs that were refused."""
    several = sum(item.code == "several_faces" for item in done.left_out)
    if several and options.on_several == "refuse":
        yield f"{several} of them show several faces. --on-several main enrols the main face of each."
    if done.left_out and not has_report:
        yield "--report FILE writes each of them to a file, with the reason."
