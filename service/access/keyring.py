"""All access keys. One process owns the records, so a key that is created or revoked here is known at once."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import monotonic

import anyio

from service.access.key import NO_KEY_HAS_THIS_DIGEST, KeyHasher, id_of, is_same, new_id, new_key
from service.access.rates import ImageCount, RequestRate
from service.domain.access import FULL_ACCESS, Access, Scope, current_access
from service.domain.access_errors import FirstKeyTooNarrow, KeyInvalid, KeyMissing, KeyNotFound
from service.domain.errors import StorageUnavailable
from service.gallery.records.database import Database
from service.gallery.records.statements import keys
from service.gallery.records.statements.keys import KeyUse, StoredKey
from service.gallery.threads import in_changing_thread

ADMIN_KEY = "admin_file"
"""The id of the operator's key, which is in a file and not in the records."""


@dataclass(frozen=True, slots=True)
class KeyToCreate:
    """What a new key allows. None: all collections, no limit, no end."""

    scopes: Sequence[Scope]
    collections: Sequence[str] | None = None
    label: str | None = None
    expires_at: datetime | None = None
    requests_per_minute: int | None = None
    images_per_day: int | None = None


class _ActiveKey:
    """A key in memory, with what was counted since it was loaded."""

    def __init__(self, stored: StoredKey) -> None:
        collections = None if stored.collections is None else frozenset(stored.collections)
        self.access = Access(stored.id, frozenset(map(Scope, stored.scopes)), collections)
        self.stored = stored
        self.rate = RequestRate(stored.requests_per_minute) if stored.requests_per_minute else None
        self.images = ImageCount(stored.images_per_day, stored.images_day, stored.images_used)
        self.last_used_at = stored.last_used_at
        self.was_used = False

    def is_valid(self, now: datetime) -> bool:
        expires_at = self.stored.expires_at
        return self.stored.revoked_at is None and (expires_at is None or now < expires_at)

    def describe(self) -> StoredKey:
        """Return the row as it is now."""
        images = self.images
        return replace(self.stored, last_used_at=self.last_used_at, images_day=images.day, images_used=images.used)


class Keyring:
    """Finds, creates, rotates and revokes keys. Safe to use from several tasks and threads at once.

    admin_key: the key of the operator, which allows everything. None if there is none.
    """

    def __init__(self, database: Database, hasher: KeyHasher, admin_key: str | None) -> None:
        self.threads = self.changing_threads = anyio.CapacityLimiter(1)
        self._database = database
        self._hasher = hasher
        self._admin_digest = None if admin_key is None else hasher.digest(admin_key)
        self._changing = threading.Lock()
        with database.reading() as connection:
            # This dictionary is replaced and never changed in place. So another thread can read it at any time.
            self._by_id = {key.id: _ActiveKey(key) for key in keys.load_all(connection)}

    @property
    def is_open(self) -> bool:
        """Whether everybody may do everything. It is so until the first key is made, and never again after that.

        If all keys have ended, nobody can call the service. Otherwise the end of a key would open it to all.
        """
        return self._admin_digest is None and not self._by_id

    @property
    def foreign_keys(self) -> int:
        """How many keys were hashed with another secret. They are not valid here."""
        return sum(key.stored.secret_id != self._hasher.id for key in self._by_id.values())

    def authenticate(self, key: str | None) -> Access:
        """Return what the key allows, and count the request.

        Raises KeyMissing, KeyInvalid or RateExceeded. Why a key is invalid is not said.
        """
        if self.is_open:
            return FULL_ACCESS
        if key is None:
            raise KeyMissing
        digest = self._hasher.digest(key)
        found = self._by_id.get(id_of(key) or "")
        matches = is_same(digest, found.stored.digest if found else NO_KEY_HAS_THIS_DIGEST)
        is_admin = is_same(digest, self._admin_digest or NO_KEY_HAS_THIS_DIGEST)
        if is_admin:
            return replace(FULL_ACCESS, key=ADMIN_KEY)
        now = datetime.now(UTC)
        if found is None or not matches or not found.is_valid(now):
            raise KeyInvalid
        found.last_used_at, found.was_used = now, True
        if found.rate is not None:
            found.rate.take(monotonic())
        return found.access

    def count_images(self, images: int) -> None:
        """Count the images of the request that runs now. Raises QuotaUsed."""
        key = self._by_id.get(current_access().key or "")
        if key is not None:
            key.images.take(images, datetime.now(UTC))

    def list_keys(self) -> list[StoredKey]:
        """Return all keys, those that have ended too, the oldest first."""
        return [key.describe() for key in self._by_id.values()]

    @in_changing_thread
    def create(self, new: KeyToCreate) -> tuple[StoredKey, str]:
        """Create a key. Return it with its text, which is not stored. Raises FirstKeyTooNarrow."""
        with self._changing:
            if self.is_open and (Scope.ADMIN not in new.scopes or new.collections is not None):
                raise FirstKeyTooNarrow
            stored, text = self._make(new)
            with self._database.writing() as connection:
                keys.add(connection, stored)
            self._put(stored)
        return stored, text

    @in_changing_thread
    def rotate(self, key: str, overlap_s: float) -> tuple[StoredKey, str]:
        """Create a key that allows the same. The old one is valid for `overlap_s` more seconds. Raises KeyNotFound."""
        with self._changing:
            old = self._find(key)
            new = KeyToCreate(
                scopes=[Scope(scope) for scope in old.scopes],
                collections=old.collections,
                label=old.label,
                expires_at=_extended(old),
                requests_per_minute=old.requests_per_minute,
                images_per_day=old.images_per_day,
            )
            stored, text = self._make(new)
            ends_at = datetime.now(UTC) + timedelta(seconds=overlap_s)
            ended = replace(old, expires_at=min(ends_at, old.expires_at or ends_at))
            with self._database.writing() as connection:
                keys.add(connection, stored)
                keys.set_end(connection, key, expires_at=ended.expires_at, revoked_at=None)
            self._put(stored, ended)
        return stored, text

    @in_changing_thread
    def revoke(self, key: str) -> None:
        """End a key now. Raises KeyNotFound, also if it was revoked before."""
        with self._changing:
            ended = replace(self._find(key), revoked_at=datetime.now(UTC))
            with self._database.writing() as connection:
                keys.set_end(connection, key, expires_at=ended.expires_at, revoked_at=ended.revoked_at)
            self._put(ended)

    @in_changing_thread
    def store_uses(self) -> None:
        """Store when the keys were last used, and their images. Raises StorageUnavailable."""
        used = [key for key in self._by_id.values() if key.was_used]
        if not used:
            return
        for key in used:
            key.was_used = False  # before it is read, so that a use meanwhile is stored the next time
        described = [key.describe() for key in used]
        uses = [
            KeyUse(key.id, key.last_used_at, key.images_day, key.images_used)
            for key in described
            if key.last_used_at is not None
        ]
        try:
            with self._database.writing() as connection:
                keys.set_uses(connection, uses)
        except StorageUnavailable:
            for key in used:
                key.was_used = True
            raise

    def _make(self, new: KeyToCreate) -> tuple[StoredKey, str]:
        text = new_key(key_id := new_id())
        return StoredKey(
            id=key_id,
            label=new.label,
            digest=self._hasher.digest(text),
            secret_id=self._hasher.id,
            scopes=tuple(sorted(set(new.scopes))),
            collections=None if new.collections is None else tuple(sorted(set(new.collections))),
            requests_per_minute=new.requests_per_minute,
            images_per_day=new.images_per_day,
            created_at=datetime.now(UTC),
            expires_at=new.expires_at,
        ), text

    def _find(self, key: str) -> StoredKey:
        found = self._by_id.get(key)
        if found is None or found.stored.revoked_at is not None:
            raise KeyNotFound
        return found.describe()

    def _put(self, *changed: StoredKey) -> None:
        self._by_id = self._by_id | {key.id: _ActiveKey(key) for key in changed}


def _extended(old: StoredKey) -> datetime | None:
    """Return the end of the key that follows: it is valid for as long as the old one was, counted from now."""
    return None if old.expires_at is None else datetime.now(UTC) + (old.expires_at - old.created_at)
