"""All access keys. They are in memory, and are read again when another replica has changed one."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import monotonic

import anyio
import structlog
from sqlalchemy import Connection

from service.access.key import NO_KEY_HAS_THIS_DIGEST, KeyHasher, id_of, is_same, new_id, new_key
from service.access.loaded_key import KeyState, LoadedKey, sealed
from service.access.secret_file import KeySecret
from service.domain.access import FULL_ACCESS, Access, Scope, current_access
from service.domain.access_errors import FirstKeyTooNarrow, KeyInvalid, KeyMissing, KeyNotFound
from service.domain.errors import StorageUnavailable
from service.gallery.records.database import Database
from service.gallery.records.statements import keys, storage
from service.gallery.records.statements.keys import StoredKey
from service.gallery.threads import in_changing_thread
from service.observability.outcomes import note_changed_key

LOG = structlog.stdlib.get_logger("service.access")
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

    @property
    def can_be_first(self) -> bool:
        """Whether further keys can be made with this one, at any time."""
        return Scope.ADMIN in self.scopes and self.collections is None and self.expires_at is None


class Keyring:
    """Finds, creates, rotates and revokes keys. Safe to use from several tasks and threads at once.

    secret: what the keys are hashed with.
    admin_key: the key of the operator, which allows everything. None if there is none.
    is_open: whether everybody may do everything. It is so until the first key is made, and never again after that. If
    all keys have ended, or were deleted from the database, nobody can call the service.
    Raises DataDirectoryUnusable if the secret is damaged.
    """

    def __init__(self, database: Database, secret: KeySecret, admin_key: str | None) -> None:
        self.threads = self.changing_threads = anyio.CapacityLimiter(1)
        self._database = database
        self._secret = secret
        self._changing = threading.Lock()
        self.is_open = not (admin_key or secret.exists())
        self._hasher: KeyHasher | None = None if self.is_open else secret.hasher()
        # This dictionary is replaced and never changed in place. So another thread can read it at any time.
        self._by_id: dict[str, LoadedKey] = {}
        self.read_keys()
        self._admin_digest = self._hasher.digest(admin_key) if self._hasher and admin_key else NO_KEY_HAS_THIS_DIGEST

    def read_keys(self) -> None:
        """Read the keys from the records. What was counted here since they were last stored is kept."""
        with self._changing:
            with self._database.reading() as connection:
                rows = keys.load_all(connection)
            if rows and self._hasher is None:
                self._hasher, self.is_open = self._secret.hasher(), False
            if self._hasher is not None:
                self._by_id = {row.id: self._loaded(row, self._hasher) for row in rows}

    def _loaded(self, row: StoredKey, hasher: KeyHasher) -> LoadedKey:
        known = self._by_id.get(row.id)
        if known is None:
            return LoadedKey(row, hasher)
        known.read_again(row, hasher)
        return known

    @property
    def has_foreign_secret(self) -> bool:
        """Whether all keys of a shared database were hashed with another secret than that of this replica."""
        secrets = {key.stored.secret_id for key in self._by_id.values()}
        own = self._hasher.id if self._hasher else None
        return self._database.is_shared and bool(secrets) and own not in secrets

    @property
    def unusable_keys(self) -> int:
        """How many keys were hashed with another secret, or were changed in the database. They are not valid."""
        return sum(not key.is_sealed for key in self._by_id.values())

    @property
    def can_be_called(self) -> bool:
        """Whether anybody can call the service."""
        has_key = any(key.is_valid(datetime.now(UTC)) for key in self._by_id.values())
        return self.is_open or has_key or self._admin_digest != NO_KEY_HAS_THIS_DIGEST

    def authenticate(self, key: str | None) -> Access:
        """Return what the key allows. Raises KeyMissing or KeyInvalid. Why a key is invalid is not said."""
        if self._hasher is None:
            return FULL_ACCESS
        if key is None:
            raise KeyMissing
        digest = self._hasher.digest(key)
        found = self._by_id.get(id_of(key) or "")
        matches = is_same(digest, found.stored.digest if found else NO_KEY_HAS_THIS_DIGEST)
        if is_same(digest, self._admin_digest):
            return replace(FULL_ACCESS, key=ADMIN_KEY)
        now = datetime.now(UTC)
        if found is None or not matches or not found.is_valid(now):
            raise KeyInvalid
        found.last_used_at, found.was_used = now, True
        return found.access

    def require_valid(self, access: Access) -> None:
        """Check again what `authenticate` returned. A body can come slowly, and the key can end meanwhile.

        Raises KeyMissing if the service was open and no longer is. Raises KeyInvalid.
        """
        if access.key is None and not self.is_open:
            raise KeyMissing
        found = self._by_id.get(access.key or "")
        if found is not None and not found.is_valid(datetime.now(UTC)):
            raise KeyInvalid

    def count_request(self, access: Access) -> None:
        """Count a request of the key. Raises RateExceeded."""
        found = self._by_id.get(access.key or "")
        if found is not None and found.rate is not None:
            found.rate.take(monotonic())

    def count_images(self, images: int) -> None:
        """Count the images of the request that runs now. Raises QuotaUsed."""
        found = self._by_id.get(current_access().key or "")
        if found is not None:
            found.images.take(images, datetime.now(UTC))

    def list_keys(self) -> list[KeyState]:
        """Return all keys, those that have ended too, the oldest first."""
        return [key.describe() for key in self._by_id.values()]

    @in_changing_thread
    def create(self, new: KeyToCreate) -> tuple[KeyState, str]:
        """Create a key. Return it with its text, which is not stored. Raises FirstKeyTooNarrow."""
        with self._changing:
            if self.is_open and not new.can_be_first:
                raise FirstKeyTooNarrow
            hasher = self._hasher or self._secret.hasher()
            stored, text = _make(new, hasher)
            with self._database.writing() as connection:
                storage.note_changed_settings(connection)
                keys.add(connection, stored)
            added = self._add(stored, hasher)
        note_changed_key(stored.id)
        LOG.info("key_created", id=stored.id, by=current_access().key)
        return added, text

    @in_changing_thread
    def rotate(self, key: str, overlap_s: float) -> tuple[KeyState, str]:
        """Create a key that allows the same. The old one is valid for `overlap_s` more seconds.

        The images of this day count for the new key too.
        Raises KeyNotFound if the key has ended, or was rotated before.
        """
        with self._changing:
            old, hasher = self._find(key)
            with self._database.writing() as connection:
                storage.note_changed_settings(connection)
                row = _read_now(connection, old, hasher)
                if row.replaced_by is not None or not old.is_valid(datetime.now(UTC)):
                    raise KeyNotFound
                stored, text = _make(_copy_of(row), hasher)
                stored = replace(stored, images_day=row.images_day, images_used=row.images_used)
                ends_at = datetime.now(UTC) + timedelta(seconds=overlap_s)
                ended = replace(row, expires_at=min(ends_at, row.expires_at or ends_at), replaced_by=stored.id)
                ended = sealed(ended, hasher)
                keys.add(connection, stored)
                keys.set_end(connection, ended)
            old.stored = ended
            added = self._add(stored, hasher)
        note_changed_key(key)
        LOG.info("key_rotated", id=key, new=stored.id, by=current_access().key)
        return added, text

    @in_changing_thread
    def revoke(self, key: str) -> None:
        """End a key now. Raises KeyNotFound, also if it was revoked before.

        Raises StorageUnavailable if this cannot be stored. Then the key is refused only until the service is started
        again, and this can be called again.
        """
        with self._changing:
            found, hasher = self._find(key)
            found.is_refused = True
            with self._database.writing() as connection:
                storage.note_changed_settings(connection)
                row = _read_now(connection, found, hasher)
                if row.revoked_at is not None:
                    raise KeyNotFound
                ended = sealed(replace(row, revoked_at=datetime.now(UTC)), hasher)
                keys.set_end(connection, ended)
            found.stored = ended
        note_changed_key(key)
        LOG.info("key_revoked", id=key, by=current_access().key)

    @in_changing_thread
    def store_uses(self) -> None:
        """Store when the keys were last used, and add their images. Raises StorageUnavailable.

        Then learn how many images were sent to other replicas.
        """
        used = [key for key in self._by_id.values() if key.was_used]
        uses = [key.take_use() for key in used]
        try:
            if uses:
                with self._database.writing() as connection:
                    keys.add_uses(connection, uses)
        except StorageUnavailable:
            for key, use in zip(used, uses, strict=True):
                key.return_use(use)
            raise
        if self._database.is_shared:
            self.read_keys()

    def _find(self, key: str) -> tuple[LoadedKey, KeyHasher]:
        """Return a key that was not revoked, and what it is hashed with. Raises KeyNotFound."""
        found = self._by_id.get(key)
        if found is None or self._hasher is None or found.stored.revoked_at is not None:
            raise KeyNotFound
        return found, self._hasher

    def _add(self, stored: StoredKey, hasher: KeyHasher) -> KeyState:
        added = LoadedKey(stored, hasher)
        self._by_id = self._by_id | {stored.id: added}
        self._hasher, self.is_open = hasher, False
        return added.describe()


def _read_now(connection: Connection, key: LoadedKey, hasher: KeyHasher) -> StoredKey:
    """Read a key again before it is changed, and return its row. Another replica may have ended it just now.

    connection: in a transaction that no other change of a setting has at the same time. Raises KeyNotFound.
    """
    row = keys.load(connection, key.stored.id)
    if row is None:
        raise KeyNotFound
    key.read_again(row, hasher)
    return key.describe().stored


def _make(new: KeyToCreate, hasher: KeyHasher) -> tuple[StoredKey, str]:
    """Return the row of a new key, and its text."""
    text = new_key(key_id := new_id())
    row = StoredKey(
        id=key_id,
        label=new.label,
        digest=hasher.digest(text),
        secret_id=hasher.id,
        seal=b"",
        scopes=tuple(sorted({str(scope) for scope in new.scopes})),
        collections=None if new.collections is None else tuple(sorted(set(new.collections))),
        requests_per_minute=new.requests_per_minute,
        images_per_day=new.images_per_day,
        created_at=datetime.now(UTC),
        expires_at=new.expires_at,
    )
    return sealed(row, hasher), text


def _copy_of(old: StoredKey) -> KeyToCreate:
    """Return what a key allows. The new key is valid for as long as the old one was, counted from now."""
    life = None if old.expires_at is None else old.expires_at - old.created_at
    return KeyToCreate(
        scopes=[Scope(scope) for scope in old.scopes],
        collections=old.collections,
        label=old.label,
        expires_at=None if life is None else datetime.now(UTC) + life,
        requests_per_minute=old.requests_per_minute,
        images_per_day=old.images_per_day,
    )
