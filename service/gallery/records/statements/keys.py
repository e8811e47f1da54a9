"""Statements about access keys."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, insert, select, update

from service.gallery.records.schema import KEYS


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A row of the table of keys.

    digest: the hash of the key, 32 bytes. secret_id: the secret that the hash is keyed with.
    seal: a keyed hash of what the key allows and of its end, 32 bytes. So a changed row is noticed.
    replaced_by: the id of the key that a rotation made. None: it was not rotated.
    scopes: their names. collections: their ids. None: all collections.
    requests_per_minute, images_per_day, expires_at: None: no limit.
    images_day, images_used: how many images were sent on this day.
    """

    id: str
    label: str | None
    digest: bytes
    secret_id: str
    seal: bytes
    scopes: tuple[str, ...]
    collections: tuple[str, ...] | None
    requests_per_minute: int | None
    images_per_day: int | None
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    replaced_by: str | None = None
    last_used_at: datetime | None = None
    images_day: str | None = None
    images_used: int = 0


@dataclass(frozen=True, slots=True)
class KeyUse:
    """When a key was last used, and how many more images were sent with it on a day (None without images)."""

    id: str
    last_used_at: datetime | None
    images_day: str | None
    images: int


def load_all(connection: Connection) -> list[StoredKey]:
    """Return all keys, the oldest first."""
    return [_key(row) for row in connection.execute(select(KEYS).order_by(KEYS.c.created_at, KEYS.c.id))]


def load(connection: Connection, key: str) -> StoredKey | None:
    """Return a key as it is stored now. None if there is none."""
    row = connection.execute(select(KEYS).where(KEYS.c.id == key)).one_or_none()
    return None if row is None else _key(row)


def add(connection: Connection, key: StoredKey) -> None:
    """Store a new key."""
    row = {name: getattr(key, name) for name in StoredKey.__slots__}
    connection.execute(insert(KEYS).values(row))


def set_end(connection: Connection, key: StoredKey) -> None:
    """Store when a key ends, and the key that replaces it."""
    names = ("expires_at", "revoked_at", "replaced_by", "seal")
    values = {name: getattr(key, name) for name in names}
    connection.execute(update(KEYS).where(KEYS.c.id == key.id).values(values))


def add_uses(connection: Connection, uses: Iterable[KeyUse]) -> None:
    """Store how keys were used since this was last stored. Several replicas add to the images of one day.

    What another replica has stored of a later day stays.
    """
    for use in sorted(uses, key=lambda use: use.id):  # in one order, else two replicas would block each other
        of_key = update(KEYS).where(KEYS.c.id == use.id)
        if use.last_used_at is not None:
            is_later = KEYS.c.last_used_at.is_(None) | (KEYS.c.last_used_at < use.last_used_at)
            connection.execute(of_key.where(is_later).values(last_used_at=use.last_used_at))
        if use.images_day is not None:
            same_day = KEYS.c.images_day == use.images_day
            total = case((same_day, KEYS.c.images_used + use.images), else_=use.images)
            no_later_day = KEYS.c.images_day.is_(None) | (KEYS.c.images_day <= use.images_day)
            values = {"images_used": total, "images_day": use.images_day}
            connection.execute(of_key.where(no_later_day).values(values))


def _key(row: Row[Any]) -> StoredKey:
    fields = row._asdict()
    collections = fields["collections"]
    return StoredKey(
        **{
            **fields,
            "scopes": tuple(fields["scopes"]),
            "collections": None if collections is None else tuple(collections),
        }
    )
