"""Enrol people in a collection of a running service.

Each person becomes a subject. The service lists the sha256 of the photographs that are
enrolled. These are not sent again, so a run that was interrupted continues where it stopped. With `again`, they are.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from facenet_client.operations.gallery import Collection
from facenet_client.schemas import EnrolmentResult
from facenet_client.sending.transport import Transport
from service.commands.connection import Connection
from service.commands.enrolment.people_folder import Person
from service.commands.enrolment.report import EnrolmentReport
from service.commands.photographs.left_out import LeftOut, left_out
from service.commands.photographs.photograph_file import SPLIT_CODES, PhotographFile, read_photograph, require_all
from service.commands.photographs.threads import map_in_threads
from service.domain.command_errors import RequestRefused

PHOTOGRAPHS_AT_ONCE = 8
PEOPLE_AT_ONCE = 4

OnSeveral = Literal["refuse", "main"]
"""What to do with a photograph of several people."""


@dataclass(frozen=True, slots=True)
class EnrolmentOptions:
    """Which photographs the service shall enrol.

    min_quality: the least quality score of a face. None means the minimum of the model.
    """

    on_several: OnSeveral = "refuse"
    min_quality: float | None = None


@dataclass(frozen=True, slots=True)
class FolderEnrolment:
    """Enrols people in one collection.

    collection: is created if it does not exist.
    done: is called after each photograph.
    again: whether photographs that are enrolled are sent too. A service that keeps crops stores those that it lacks.
    """

    service: Connection
    collection: str
    options: EnrolmentOptions
    done: Callable[[], object]
    again: bool = False

    @property
    def _collection(self) -> Collection[Transport]:
        return self.service.collection(self.collection)

    def run(self, people: Sequence[Person]) -> EnrolmentReport:
        """Enrol all people, several in parallel.

        Raises RequestRefused or Unreachable if the problem is not about one photograph.
        """
        self._collection.create()
        report = EnrolmentReport()
        for part in map_in_threads(self._enrol, people, PEOPLE_AT_ONCE):
            report.merge(part)
        return report

    def _enrol(self, person: Person) -> EnrolmentReport:
        report = EnrolmentReport()
        is_new = self._create_subject(person)
        known = set() if is_new or self.again else self._enrolled_sha256(person)
        self._enrol_photographs(person, known, report)
        if not report.has_face:
            report.add(left_out(person.folder, "person_without_face"))
            if is_new:
                self._remove_if_empty(person)
        return report

    def _enrol_photographs(self, person: Person, known: set[str], report: EnrolmentReport) -> None:
        to_send = self._photographs_to_send(person, known, report)
        while part := list(islice(to_send, PHOTOGRAPHS_AT_ONCE)):
            for photograph, result in zip(part, self._send(person, part), strict=True):
                _add(report, photograph.path, result)
                self.done()

    def _create_subject(self, person: Person) -> bool:
        """Create the subject. Return False if there is one already."""
        try:
            self._collection.add_subject(person.id, name=person.printable_name)
        except RequestRefused as error:
            if error.problem_code != "subject_exists":
                raise
            return False
        return True

    def _remove_if_empty(self, person: Person) -> None:
        """Delete a subject that was created for nothing, unless somebody else has enrolled a face of it meanwhile.

        A key without the scope `read` cannot find that out. The subject then stays.
        """
        with suppress(RequestRefused):
            if self._collection.subject(person.id).faces == 0:
                self._collection.delete_subject(person.id)

    def _enrolled_sha256(self, person: Person) -> set[str]:
        """Return the sha256 of the enrolled photographs of a subject."""
        return {face.image_sha256 for face in self._collection.faces(person.id)}

    def _photographs_to_send(
        self, person: Person, known: set[str], report: EnrolmentReport
    ) -> Iterator[PhotographFile]:
        for photograph in map(read_photograph, person.photographs):
            if isinstance(photograph, LeftOut):
                report.add(photograph)
                self.done()
            elif hashlib.sha256(photograph.data).hexdigest() in known:
                report.counts["known"] += 1
                self.done()
            else:
                yield photograph

    def _send(self, person: Person, part: Sequence[PhotographFile]) -> list[EnrolmentResult]:
        """Return one result for each photograph. If one request cannot hold them all, send them one by one."""
        try:
            return self._post(person, part)
        except RequestRefused as error:
            if error.problem_code == "nothing_enrolled":
                return [EnrolmentResult.model_validate(result) for result in error.problem["results"]]
            if error.problem_code not in SPLIT_CODES:
                raise
            if len(part) == 1:
                return [_refused(error)]
            return [result for photograph in part for result in self._send(person, [photograph])]

    def _post(self, person: Person, part: Sequence[PhotographFile]) -> list[EnrolmentResult]:
        on_several, min_quality = self.options.on_several, self.options.min_quality
        images = (photograph.data for photograph in part)
        answer = self._collection.enrol(person.id, *images, on_several=on_several, min_quality=min_quality)
        require_all(part, answer.results)
        return list(answer.results)


def _refused(error: RequestRefused) -> EnrolmentResult:
    """Return the result of a photograph that was refused with its request."""
    fields = {"face": None, "box": None, "quality": None, "warnings": ()}
    return EnrolmentResult(status="refused", code=error.problem_code, detail=error.reason, **fields)


def _add(report: EnrolmentReport, file: Path, result: EnrolmentResult) -> None:
    """Add the result of one photograph to a report."""
    if result.status == "refused":
        detail = _for_command(result.detail or "")
        report.add(LeftOut(file, "refused", result.code or "", detail, result.face))
    else:
        report.counts[result.status] += 1


def _for_command(detail: str) -> str:
    """Return the reason with the options of the command in place of those of a request."""
    return detail.replace("on_several=main", "--on-several main").replace("lower min_quality", "lower --min-quality")
