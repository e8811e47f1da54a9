"""A folder of identities -> references of a collection: FOLDER/PERSON/PHOTOGRAPH. Run it again to go on.

A person is a subject of the folder's name. Photographs that the service has already are known by their sha256 and are
not sent again, so a run that was broken off goes on where it stopped.
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
from service.errors import EmptyFolder, Refused

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"})
PHOTOGRAPHS_AT_ONCE = 8
PEOPLE_AT_ONCE = 4
TOO_MUCH = frozenset({"body_too_large", "invalid_option", "timed_out"})
"""Refusals that a smaller request may escape."""
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

OnSeveral = Literal["refuse", "main"]
"""What to do with a photograph of several people."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A photograph that was not enrolled. code: the service's, or `unreadable_file`. detail: a sentence."""

    file: Path
    code: str
    detail: str


@dataclass(slots=True)
class Report:
    """What became of the photographs. counts: by `enrolled`, `known` and `refused`."""

    counts: Counter[str] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        """Another report's photographs beside these."""
        self.counts += other.counts
        self.refusals += other.refusals

    def note(self, file: Path, result: JsonObject) -> None:
        """The service's word on one photograph."""
        self.counts[result["status"]] += 1
        if result["status"] == "refused":
            self.refusals.append(Refusal(file, result["code"], result["detail"]))


@dataclass(frozen=True, slots=True)
class Person:
    """A subject to be and their photographs."""

    name: str
    photographs: tuple[Path, ...]

    @property
    def printable_name(self) -> str:
        """As the service takes names: Unicode without control characters."""
        text = self.name.encode("utf-8", "replace").decode()
        return "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in text)

    @property
    def id(self) -> str:
        """The folder's name where that is a valid id; else what is left of it, and a digest to tell it from others."""
        if ID.fullmatch(self.name):
            return self.name
        digest = hashlib.sha256(self.name.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        letters = re.sub(r"[^A-Za-z0-9._-]+", "-", self.name).strip("._-")[:100]
        return f"{letters}-{digest}" if letters else digest


def people_of(folder: Path) -> list[Person]:
    """Sorted by name; people without a photograph are left out. Raises EmptyFolder if none is left."""
    folders = sorted(one for one in folder.iterdir() if one.is_dir())
    people = [Person(one.name, tuple(_photographs(one))) for one in folders]
    people = [person for person in people if person.photographs]
    if not people:
        raise EmptyFolder(f"{folder} holds no photographs. It is expected as FOLDER/PERSON/PHOTOGRAPH.jpg.")
    return people


def _photographs(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.suffix.lower() in SUFFIXES)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Runs against one collection, which is created if it is not there. `done` is called after each photograph."""

    service: Connection
    collection: str
    on_several: OnSeveral
    done: Callable[[], object]

    def run(self, people: Sequence[Person]) -> Report:
        """Several people side by side. Raises Refused or Unreachable where no photograph is to blame."""
        self.service.call("PUT", f"/collections/{self.collection}")
        report = Report()
        threads = ThreadPoolExecutor(PEOPLE_AT_ONCE)
        try:
            for part in threads.map(self._enrol, people):
                report.add(part)
        finally:
            threads.shutdown(cancel_futures=True)
        return report

    def _enrol(self, person: Person) -> Report:
        report = Report()
        unsent = self._unsent(person, self._known(person), report)
        while part := dict(islice(unsent, PHOTOGRAPHS_AT_ONCE)):
            for file, result in zip(part, self._send(person, part), strict=True):
                report.note(file, result)
                self.done()
        return report

    def _known(self, person: Person) -> set[str]:
        """The sha256 of the photographs that the service has of this person, who is created if they are new."""
        path = f"/collections/{self.collection}/subjects"
        try:
            self.service.call("POST", path, json={"id": person.id, "name": person.printable_name})
        except Refused as refusal:
            if refusal.reason != "subject_exists":
                raise
            return set(self._digests(f"{path}/{person.id}/faces"))
        return set()

    def _digests(self, path: str) -> Iterator[str]:
        cursor: JsonObject = {}
        while True:
            page = self.service.call("GET", path, params={"limit": 1000, **cursor})
            yield from (face["image_sha256"] for face in page["items"])
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    def _unsent(self, person: Person, known: set[str], report: Report) -> Iterator[tuple[Path, bytes]]:
        for file in person.photographs:
            try:
                data = file.read_bytes()
            except OSError as error:
                detail = f"The file cannot be read: {error.strerror}."
                report.note(file, {"status": "refused", "code": "unreadable_file", "detail": detail})
                self.done()
                continue
            if hashlib.sha256(data).hexdigest() in known:
                report.note(file, {"status": "known"})
                self.done()
            else:
                yield file, data

    def _send(self, person: Person, part: dict[Path, bytes]) -> list[JsonObject]:
        """One result a photograph. What is too much for one request is sent one by one."""
        try:
            answer = self._post(person, part)
        except Refused as refusal:
            if refusal.reason == "nothing_enrolled":
                answer = refusal.content
            elif refusal.reason not in TOO_MUCH:
                raise
            elif len(part) == 1:
                return [{"status": "refused", "code": refusal.reason, "detail": str(refusal)}]
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
