"""The answers of /keys.

This file is written by write_schemas.py.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field, SkipValidation

from facenet_client.schemas.base import Answer

Scope = SkipValidation[Literal["verify", "read", "enrol", "admin", "metrics"]]
"""A kind of work that a key allows. No scope contains another one.

verify: compare, identify, cluster and embed faces.
read: list and show collections, subjects and faces. Together with verify: cluster a collection.
enrol: create, change, move and delete subjects and faces, and create collections.
admin: delete collections, manage keys, make backups.
metrics: read /metrics.
"""


class KeyAnswer(Answer):
    """A key, without its secret part."""

    id: str
    label: str | None
    scopes: tuple[Scope, ...]
    collections: tuple[str, ...] | None
    requests_per_minute: int | None
    images_per_day: int | None
    images_today: int
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    valid: bool


class KeysAnswer(Answer):
    """All keys, the oldest first."""

    items: tuple[KeyAnswer, ...]


class NewKeyAnswer(KeyAnswer):
    """A new key. `key` is shown this once."""

    key: str = Field(repr=False)
