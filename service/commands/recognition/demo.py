"""Show a running service at work on real photographs: enrol, verify, identify and cluster."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facenet_client.schemas import IdentifiedFace
from service.commands.connection import Connection
from service.commands.enrolment.folder_enrolment import EnrolmentOptions, FolderEnrolment
from service.commands.enrolment.people_folder import Person, read_people
from service.domain.command_errors import EmptyFolder, ModelOfCollection, RequestRefused

COLLECTION = "demo"


def run_demo(service: Connection, folder: Path, collection: str, console: Console) -> None:
    """Enrol, verify, identify and cluster a folder of people. One person must have at least two photographs.

    Raises ModelOfCollection if another model made the faces of the collection. Raises EmptyFolder, RequestRefused or
    Unreachable.
    """
    try:
        _show_all(service, folder, collection, console)
    except RequestRefused as error:
        raise ModelOfCollection(collection) if error.problem_code == "model_mismatch" else error from None


def _show_all(service: Connection, folder: Path, collection: str, console: Console) -> None:
    people = sorted(read_people(folder).people, key=lambda person: -len(person.photographs))
    if not people:
        raise EmptyFolder(folder)
    references = [Person(person.folder, person.photographs[:1]) for person in people]
    report = FolderEnrolment(service, collection, EnrolmentOptions("main"), lambda: None).run(references)
    enrolled = report.counts["enrolled"] + report.counts["known"]
    console.print(f"[bold]{enrolled} people[/] are enrolled in the collection {escape(collection)}", highlight=False)
    console.print(_verify(service, people))
    console.print(_identify(service, collection, [file for person in people for file in person.photographs[1:]]))
    console.print(_cluster(service, [file for person in people for file in person.photographs]))


def _verify(service: Connection, people: Sequence[Person]) -> Table:
    """Compare the first photograph of the first person with their second, and with the first of every other person."""
    first, *others = people
    table = Table("image_a", "image_b", "distance", "verified", title="POST /verify", title_justify="left")
    for other in (first.photographs[1], *(person.photographs[0] for person in others)):
        answer = service.verify(first.photographs[0], other)
        table.add_row(first.photographs[0].name, other.name, f"{answer.distance:.3f}", str(answer.verified))
    return table


def _identify(service: Connection, collection: str, probes: Sequence[Path]) -> Table:
    """Identify the photographs that are not enrolled."""
    table = Table("image", "decision", "subject", "nearest", title="POST /identify", title_justify="left")
    for probe in probes:
        for face in service.identify(probe, collection).faces:
            table.add_row(probe.name, face.decision, _named(face), _nearest(face))
    return table


def _named(face: IdentifiedFace) -> str:
    return face.subject or " or ".join(item.subject for item in face.between) or "-"


def _nearest(face: IdentifiedFace) -> str:
    return ", ".join(f"{item.subject} {item.distance:.3f}" for item in face.candidates[:2])


def _cluster(service: Connection, photographs: Sequence[Path]) -> Table:
    """Cluster all photographs, without their names."""
    answer = service.cluster(*photographs)
    table = Table("cluster", "photographs", title="POST /cluster", title_justify="left")
    for cluster in answer.clusters:
        images = (answer.faces[member].image for member in cluster.members)
        table.add_row(str(cluster.label), ", ".join(photographs[image].name for image in images if image is not None))
    return table
