"""Enrol people in a collection of a running service.

Each person becomes a subject. The service lists the sha256 of the photographs that are
enrolled. These are not sent again, so a run that was interrupted continues where it stopped.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from service.client.connection import Connection, JsonObject, collection_path
from service.client.enrolment_report import EnrolmentReport, NotEnrolled
from service.client.people_folder import Person, not_enrolled
from service.domain.command_errors import RequestRefused

PHOTOGRAPHS_AT_ONCE = 8
PEOPLE_AT_ONCE = 4
FILE_NAME = "photograph"
"""The name that is sent with each file. The real names stay here: they can name people."""

SPLIT_CODES = frozenset({"body_too_large", "invalid_option", "timed_out"})
"""Problems that a smaller request may not have."""

OnSeveral = Literal["refuse", "main"]
"""What to do with a photograph of several people."""


@dataclass(frozen=True, slots=True)
class EnrolmentOptions:
    """Which photographs the service shall enrol.

    min_quality: the least quality score of a face. None means the minimum of the model.
    """

    on_several: OnSeveral = "refuse"
    min_quality: float | None = None

    @property
    def query(self) -> dict[str, str | float]:
        """The options of the request."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class FolderEnrolment:
    """Enrols people in one collection.

    collection: is created if it does not exist.
    done: is called after each photograph.
    """

    service: Connection
    collection: str
    options: EnrolmentOptions
    done: Callable[[], object]

    @property
    def _path(self) -> str:
        return collection_path(self.collection)

    def run(self, people: Sequence[Person]) -> EnrolmentReport:
        """Enrol all people, several in parallel.

        Raises RequestRefused or Unreachable if the problem is not about one photograph.
        """
        self.service.call("PUT", self._path)
        report = EnrolmentReport()
        threads = ThreadPoolExecutor(PEOPLE_AT_ONCE)
        try:
            for part in threads.map(self._enrol, people):
                report.merge(part)
        finally:
            threads.shutdown(cancel_futures=True)
        return report

    def _enrol(self, person: Person) -> EnrolmentReport:
        report = EnrolmentReport()
        self._enrol_photographs(person, report)
        if not report.has_face:
            report.add(not_enrolled(person.folder, "person_without_face"))
        return report

    def _enrol_photographs(self, person: Person, report: EnrolmentReport) -> None:
        to_send = self._photographs_to_send(person, self._enrolled_sha256(person), report)
        while part := dict(islice(to_send, PHOTOGRAPHS_AT_ONCE)):
            for file, result in zip(part, self._send(person, part), strict=True):
                _add(report, file, result)
                self.done()

    def _enrolled_sha256(self, person: Person) -> set[str]:
        """Create the subject if it is new. Return the sha256 of its enrolled photographs."""
        path = f"{self._path}/subjects"
        try:
            self.service.call("POST", path, json={"id": person.id, "name": person.printable_name})
        except RequestRefused as error:
            if error.problem_code != "subject_exists":
                raise
            return set(self._list_sha256(f"{path}/{person.id}/faces"))
        return set()

    def _list_sha256(self, path: str) -> Iterator[str]:
        cursor: JsonObject = {}
        while True:
            page = self.service.call("GET", path, params={"limit": 1000, **cursor})
            yield from (face["image_sha256"] for face in page["items"])
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    def _photographs_to_send(
        self, person: Person, known: set[str], report: EnrolmentReport
    ) -> Iterator[tuple[Path, bytes]]:
        for file in person.photographs:
            try:
                data = file.read_bytes()
            except OSError:
                report.add(not_enrolled(file, "unreadable_file"))
                self.done()
                continue
            if hashlib.sha256(data).hexdigest() in known:
                report.counts["known"] += 1
                self.done()
            else:
                yield file, data

    def _send(self, person: Person, part: dict[Path, bytes]) -> list[JsonObject]:
        """Return one result for each photograph. If one request cannot hold them all, send them one by one."""
        try:
            answer = self._post(person, part)
        except RequestRefused as error:
            if error.problem_code == "nothing_enrolled":
                answer = error.problem
            elif error.problem_code not in SPLIT_CODES:
                raise
            elif len(part) == 1:
                return [{"status": "refused", "code": error.problem_code, "detail": str(error)}]
            else:
                return [result for file, data in part.items() for result in self._send(person, {file: data})]
        results: list[JsonObject] = answer["results"]
        return results

    def _post(self, person: Person, part: dict[Path, bytes]) -> JsonObject:
        return self.service.call(
            "POST",
            f"{self._path}/subjects/{person.id}/faces",
            params=self.options.query,
            files=[("images", (FILE_NAME, data)) for data in part.values()],
        )


def _add(report: EnrolmentReport, file: Path, result: JsonObject) -> None:
    """Add the result of one photograph to a report."""
    if result["status"] == "refused":
        report.add(NotEnrolled(file, "refused", result["code"], _for_command(result["detail"]), result.get("face")))
    else:
        report.counts[result["status"]] += 1


def _for_command(detail: str) -> str:
    """Return the reason with the options of the command in place of those of a request."""
    return detail.replace("on_several=main", "--on-several main").replace("lower min_quality", "lower --min-quality")
