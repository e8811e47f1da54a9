"""Enrol a folder of people, FOLDER/PERSON/PHOTOGRAPH, in a collection.

Each person becomes a subject with the name of the folder. The service lists the sha256 of the photographs that are
enrolled. These are not sent again, so a run that was interrupted continues where it stopped.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

from service.client.connection import Connection, JsonObject
from service.domain.errors import EmptyFolder, RequestRefused
from service.domain.identifiers import ID_PATTERN

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"})
PHOTOGRAPHS_AT_ONCE = 8
PEOPLE_AT_ONCE = 4
SPLIT_CODES = frozenset({"body_too_large", "invalid_option", "timed_out"})
"""Problems that a smaller request may not have."""

OnSeveral = Literal["refuse", "main"]
"""What to do with a photograph of several people."""


@dataclass(frozen=True, slots=True)
class RefusedPhotograph:
    """A photograph that was not enrolled.

    code: the code of the problem that the service returned, or `unreadable_file`.
    detail: the reason, in one sentence.
    """

    file: Path
    code: str
    detail: str


@dataclass(slots=True)
class EnrolmentReport:
    """The outcome of an enrolment. counts: photographs by `enrolled`, `known` and `refused`."""

    counts: Counter[str] = field(default_factory=Counter)
    refused: list[RefusedPhotograph] = field(default_factory=list)

    def merge(self, other: "EnrolmentReport") -> None:
        """Add the photographs of another report."""
        self.counts += other.counts
        self.refused += other.refused

    def add(self, file: Path, result: JsonObject) -> None:
        """Add the result of one photograph."""
        self.counts[result["status"]] += 1
        if result["status"] == "refused":
            self.refused.append(RefusedPhotograph(file, result["code"], result["detail"]))


@dataclass(frozen=True, slots=True)
class Person:
    """A person, and the photographs of that person. name: the name of the person's folder."""

    name: str
    photographs: tuple[Path, ...]

    @property
    def printable_name(self) -> str:
        """The name as the service accepts it: Unicode without control characters."""
        text = self.name.encode("utf-8", "replace").decode()
        return "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in text)

    @property
    def id(self) -> str:
        """The name, if it is a valid id. Otherwise its valid characters and a digest, which makes the id unique."""
        if re.fullmatch(ID_PATTERN, self.name):
            return self.name
        digest = hashlib.sha256(self.name.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        letters = re.sub(r"[^A-Za-z0-9._-]+", "-", self.name).strip("._-")[:100]
        return f"{letters}-{digest}" if letters else digest


def read_people(folder: Path) -> list[Person]:
    """List the people of a folder, by name. A person without a photograph is left out.

    Raises EmptyFolder if nobody has a photograph.
    """
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir())
    people = [Person(path.name, tuple(_photographs(path))) for path in subfolders]
    people = [person for person in people if person.photographs]
    if not people:
        raise EmptyFolder(f"{folder} has no photographs. They are expected as FOLDER/PERSON/PHOTOGRAPH.jpg.")
    return people


def _photographs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


@dataclass(frozen=True, slots=True)
class FolderEnrolment:
    """Enrols people in one collection.

    collection: is created if it does not exist.
    done: is called after each photograph.
    """

    service: Connection
    collection: str
    on_several: OnSeveral
    done: Callable[[], object]

    def run(self, people: Sequence[Person]) -> EnrolmentReport:
        """Enrol all people, several in parallel.

        Raises RequestRefused or Unreachable if the problem is not about one photograph.
        """
        self.service.call("PUT", f"/collections/{self.collection}")
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
        to_send = self._photographs_to_send(person, self._enrolled_sha256(person), report)
        while part := dict(islice(to_send, PHOTOGRAPHS_AT_ONCE)):
            for file, result in zip(part, self._send(person, part), strict=True):
                report.add(file, result)
                self.done()
        return report

    def _enrolled_sha256(self, person: Person) -> set[str]:
        """Create the subject if it is new. Return the sha256 of its enrolled photographs."""
        path = f"/collections/{self.collection}/subjects"
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
            except OSError as error:
                detail = f"The file cannot be read: {error.strerror}."
                report.add(file, {"status": "refused", "code": "unreadable_file", "detail": detail})
                self.done()
                continue
            if hashlib.sha256(data).hexdigest() in known:
                report.add(file, {"status": "known"})
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
            f"/collections/{self.collection}/subjects/{person.id}/faces",
            params={"on_several": self.on_several},
            files=[("images", (file.name, data)) for file, data in part.items()],
        )
