"""/keys."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from service.access.keyring import KeyToCreate
from service.access.loaded_key import KeyState
from service.api.schemas.fields import Body, Id, Name, Options
from service.api.schemas.responses import Answer
from service.domain.access import Scope

DAY_S = 86_400
MAX_LIFE_S = 3650 * DAY_S
MAX_OVERLAP_S = 90 * DAY_S
MAX_COLLECTIONS = 1000

Count = Annotated[int, Field(ge=1, le=10**9)]


class NewKey(Body):
    """A key to create."""

    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope), description="what the key allows")
    collections: list[Id] | None = Field(
        None, min_length=1, max_length=MAX_COLLECTIONS, description="the collections that the key sees. null: all"
    )
    label: Name | None = Field(None, description="a note for people, such as the name of a door. Not a secret")
    expires_in_s: Annotated[int, Field(ge=1, le=MAX_LIFE_S)] | None = Field(
        None, description="for how many seconds the key is valid. null: until it is revoked"
    )
    requests_per_minute: Count | None = None
    images_per_day: Count | None = Field(None, description="the day is that of UTC")

    @model_validator(mode="after")
    def _metrics_are_about_all_collections(self) -> Self:
        if Scope.METRICS in self.scopes and self.collections is not None:
            raise PydanticCustomError("metrics", "The scope metrics is for a key of all collections.")
        return self

    def to_create(self) -> KeyToCreate:
        """Return the key to create."""
        life_s = self.expires_in_s
        return KeyToCreate(
            scopes=self.scopes,
            collections=self.collections,
            label=self.label,
            expires_at=None if life_s is None else datetime.now(UTC) + timedelta(seconds=life_s),
            requests_per_minute=self.requests_per_minute,
            images_per_day=self.images_per_day,
        )


class RotateOptions(Options):
    """How a key is rotated."""

    overlap_s: int = Field(DAY_S, ge=0, le=MAX_OVERLAP_S, description="for how many seconds the old key is still valid")


class KeyAnswer(Answer):
    """A key, without its secret part."""

    id: str
    label: str | None
    scopes: list[Scope]
    collections: list[Id] | None
    requests_per_minute: int | None
    images_per_day: int | None
    images_today: int
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    valid: bool

    @classmethod
    def of(cls, state: KeyState) -> Self:
        """Describe a key."""
        key = state.stored
        today = datetime.now(UTC).date().isoformat()
        return cls(
            id=key.id,
            label=key.label,
            scopes=[scope for scope in Scope if scope in key.scopes],
            collections=None if key.collections is None else list(key.collections),
            requests_per_minute=key.requests_per_minute,
            images_per_day=key.images_per_day,
            images_today=key.images_used if key.images_day == today else 0,
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
            valid=state.is_valid,
        )


class NewKeyAnswer(KeyAnswer):
    """A new key. `key` is shown this once."""

    key: str

    @classmethod
    def with_text(cls, key: KeyState, text: str) -> Self:
        """Describe a new key, with the text that its owner sends."""
        return cls(**KeyAnswer.of(key).model_dump(), key=text)


class KeysAnswer(Answer):
    """All keys, the oldest first."""

    items: list[KeyAnswer]
