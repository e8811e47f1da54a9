"""A key in memory: what it allows, whether it is valid, and what was counted since it was loaded."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from service.access.key import KeyHasher, is_same
from service.access.rates import ImageCount, RequestRate
from service.domain.access import Access, Scope
from service.gallery.records.statements.keys import KeyUse, StoredKey


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key as it is at one moment. stored: its row, with the uses that are not stored yet."""

    stored: StoredKey
    is_valid: bool


class LoadedKey:
    """A key in memory.

    stored: its row. It is replaced when the key ends.
    is_sealed: whether this service made the row. Otherwise the secret is another one, or the row was changed in the
    database.
    is_refused: whether the key was revoked, even if this could not be stored.
    """

    def __init__(self, stored: StoredKey, hasher: KeyHasher) -> None:
        collections = None if stored.collections is None else frozenset(stored.collections)
        scopes = frozenset(scope for scope in Scope if scope in stored.scopes)  # a newer version may know others
        self.access = Access(stored.id, scopes, collections)
        self.stored = stored
        self.is_sealed = stored.secret_id == hasher.id and is_same(stored.seal, _seal_of(stored, hasher))
        self.is_refused = stored.revoked_at is not None
        self.rate = RequestRate(stored.requests_per_minute) if stored.requests_per_minute else None
        self.images = ImageCount(stored.images_per_day, stored.images_day, stored.images_used)
        self.last_used_at = stored.last_used_at
        self.was_used = False

    def read_again(self, stored: StoredKey, hasher: KeyHasher) -> None:
        """Take the row as the records have it now. What was counted here and is not stored yet is kept."""
        self.stored = stored
        self.is_sealed = stored.secret_id == hasher.id and is_same(stored.seal, _seal_of(stored, hasher))
        self.is_refused = self.is_refused or stored.revoked_at is not None
        self.images.read_again(stored.images_day, stored.images_used)

    def take_use(self) -> KeyUse:
        """Return how the key was used since the last call. A use meanwhile is returned by the next call."""
        self.was_used = False
        images = self.images.take_not_stored()
        return KeyUse(self.stored.id, self.last_used_at, self.images.day if images else None, images)

    def return_use(self, use: KeyUse) -> None:
        """Take back a use that could not be stored."""
        self.was_used = True
        self.images.return_not_stored(use.images_day, use.images)

    def is_valid(self, now: datetime) -> bool:
        """Return whether a request with the key is let in."""
        expires_at = self.stored.expires_at
        return self.is_sealed and not self.is_refused and (expires_at is None or now < expires_at)

    def describe(self) -> KeyState:
        """Return the key as it is now."""
        images = self.images
        stored = replace(self.stored, last_used_at=self.last_used_at, images_day=images.day, images_used=images.used)
        return KeyState(stored, self.is_valid(datetime.now(UTC)))


def sealed(key: StoredKey, hasher: KeyHasher) -> StoredKey:
    """Return the row with its seal."""
    return replace(key, secret_id=hasher.id, seal=_seal_of(key, hasher))


def _seal_of(key: StoredKey, hasher: KeyHasher) -> bytes:
    """Return the seal of everything that decides what the key allows. Its uses are left out, because they change."""
    return hasher.seal(
        (
            key.id,
            key.digest,
            key.scopes,
            key.collections,
            key.requests_per_minute,
            key.images_per_day,
            key.created_at,
            key.expires_at,
            key.revoked_at,
            key.replaced_by,
        )
    )
