"""The line of a request: what it is about, and no id of a person, name, vector or image."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.access.audit.secret import AuditSecret
from service.observability.outcomes import Outcome

MODEL_ID_DIGITS = 16
DECISIONS = frozenset({"/verify", "/identify", "/cluster", "/embed"})
BACKUP = "/backup"
NO_PEOPLE = frozenset({f"/collections/{{collection}}/{name}" for name in ("calibration", "crops", "reembedding")})
"""Their DELETE removes no subject and no face."""
REFUSED_STATUSES = frozenset({401, 403, 429})
REFUSED_CODES = frozenset({"collection_not_found"})
"""For the owner of a key, the collections of others do not exist. So requests for such a collection have a line."""
GALLERY_ROUTES = "/collections/"
"""The start of the routes whose DELETE removes people."""


class Event(StrEnum):
    """What a request was. Requests that only read have no line, except of an export or a kept crop."""

    DECISION = "decision"
    CHANGE = "change"
    BACKUP = "backup"
    EXPORT = "export"
    SHOWN = "shown"
    REFUSAL = "refusal"


READS = {
    "/collections/{collection}/subjects/{subject}/export": Event.EXPORT,
    "/collections/{collection}/export": Event.EXPORT,
    "/collections/{collection}/faces/{face}/crop": Event.SHOWN,
}
"""What these answer with identifies people. Other requests that only read have no line."""


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request and its answer.

    method, route: as the client sent them; the route is a pattern, such as /collections/{collection}.
    is_safe: whether the method changes nothing.
    ids: the parameters of the path.
    key: the id of the access key.
    """

    request_id: str
    method: str
    route: str
    is_safe: bool
    ids: dict[str, str]
    status: int
    key: str | None
    outcome: Outcome

    @property
    def event(self) -> Event | None:
        """What the request was. None if it gets no line."""
        if self.status in REFUSED_STATUSES or self.outcome.code in REFUSED_CODES:
            return Event.REFUSAL
        if self.route in DECISIONS:
            return Event.DECISION if self.outcome.counts else None
        if self.status >= 400 and not self.outcome.stored:
            return None
        if self.is_safe:
            return READS.get(self.route)
        return Event.BACKUP if self.route == BACKUP else Event.CHANGE

    @property
    def is_deletion(self) -> bool:
        """Whether the request deleted a collection, a subject or a face. Its answer has a receipt."""
        removes_people = self.route.startswith(GALLERY_ROUTES) and self.route not in NO_PEOPLE
        return self.method == "DELETE" and removes_people and self.status < 300

    def fields(self, event: Event, secret: AuditSecret, collection_exists: Callable[[str], bool]) -> dict[str, Any]:
        """Return the fields of the line. Those without a value are left out."""
        outcome = self.outcome
        collection = self.ids.get("collection") or outcome.collection
        fields = {
            "event": event.value,
            "request": self.request_id,
            "key": self.key,
            "method": self.method,
            "route": self.route,
            "status": self.status,
            "code": outcome.code,
            "model": outcome.model and outcome.model[:MODEL_ID_DIGITS],
            "threshold": outcome.threshold_sq_l2,
            "counts": outcome.counts,
            "collection": _known_id(collection, secret, collection_exists),
            "subjects": self._pseudonyms(secret),
            "changed_key": outcome.changed_key,
        }
        return {name: value for name, value in fields.items() if value is not None and value not in ({}, [])}

    def _pseudonyms(self, secret: AuditSecret) -> list[str]:
        subjects = list(self.outcome.subjects)
        if "subject" in self.ids:
            subjects.append((self.ids["collection"], self.ids["subject"]))
        return list(dict.fromkeys(secret.pseudonym(*subject) for subject in subjects))


def _known_id(collection: str | None, secret: AuditSecret, collection_exists: Callable[[str], bool]) -> str | None:
    """Return the id of a collection that exists. Otherwise a client can have written anything there, even a name."""
    if collection is None or collection_exists(collection):
        return collection
    return secret.pseudonym(collection)
