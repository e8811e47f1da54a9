"""What the keys in a gallery are worth with a secret. Nothing is changed, and no service has to run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from service.access.key import KeyHasher
from service.access.loaded_key import LoadedKey
from service.access.secret_file import KeySecret
from service.gallery.records.statements.keys import StoredKey


@dataclass(frozen=True, slots=True)
class KeyCounts:
    """How many keys a gallery holds.

    valid: a request with one of them is let in.
    unusable: they have no end yet, and were hashed with another secret, or were changed in the database.
    ended: they have expired, or were revoked.
    has_secret: whether there is a secret. It is made with the first key.
    """

    valid: int
    unusable: int
    ended: int
    has_secret: bool

    @property
    def is_open(self) -> bool:
        """Whether a service without a key of the operator lets everybody in, because there was never a key."""
        return not (self.has_secret or self.valid or self.unusable or self.ended)

    def why_unusable(self, secret: Path) -> str:
        """Say why keys are not valid. secret: where it is expected."""
        return f"{secret} is not the secret of these keys." if self.has_secret else f"{secret} is missing."


def count_keys(rows: Sequence[StoredKey], secret: KeySecret) -> KeyCounts:
    """Count the keys of a gallery. A secret that is missing is not made. Raises DataDirectoryUnusable or OSError."""
    now, has_secret = datetime.now(UTC), secret.exists()
    going_on = [row for row in rows if not _has_ended(row, now)]
    valid = _count_valid(going_on, secret.hasher(), now) if has_secret else 0
    return KeyCounts(valid, len(going_on) - valid, len(rows) - len(going_on), has_secret)


def _has_ended(row: StoredKey, now: datetime) -> bool:
    return row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now)


def _count_valid(rows: Sequence[StoredKey], hasher: KeyHasher, now: datetime) -> int:
    return sum(LoadedKey(row, hasher).is_valid(now) for row in rows)
