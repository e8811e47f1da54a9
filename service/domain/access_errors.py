"""The errors about access keys. They do not depend on HTTP.

    FacenetError
    ├── AccessError                   the access key does not allow the request
    │   ├── KeyMissing
    │   ├── KeyInvalid                unknown, revoked or expired
    │   ├── ScopeMissing              the key does not allow this kind of work
    │   ├── AllCollectionsNeeded      the key sees some collections only
    │   ├── FirstKeyTooNarrow         the first key could not make others
    │   └── KeyNotFound               a key to revoke or to rotate does not exist, or has ended
    └── Unavailable
        ├── RateExceeded              more requests a minute than the key allows
        └── QuotaUsed                 more images a day than the key allows

The other errors of a running service are in `errors.py`.
"""

from service.domain.errors import FacenetError, Unavailable


class AccessError(FacenetError):
    """The access key does not allow the request."""


class KeyMissing(AccessError):
    """The request has no access key."""

    code = "key_missing"

    def __init__(self) -> None:
        super().__init__("Send an access key: `Authorization: Bearer KEY` or `x-api-key: KEY`.")


class KeyInvalid(AccessError):
    """The access key is unknown, was revoked, or has expired."""

    code = "key_invalid"

    def __init__(self) -> None:
        super().__init__(
            "The access key is unknown, was revoked, or has expired, or the request has two different keys. The "
            "operator makes a new key."
        )


class ScopeMissing(AccessError):
    """The key does not allow this kind of work. scope: what it would need."""

    code = "scope_missing"

    def __init__(self, scope: str) -> None:
        super().__init__(f"The access key has no scope `{scope}`. The operator makes a key that has it.")


class AllCollectionsNeeded(AccessError):
    """The request concerns all collections, and the key sees some of them only."""

    code = "all_collections_needed"

    def __init__(self) -> None:
        super().__init__(
            "The request concerns all collections, and the access key is for some of them only. The operator makes a "
            "key that has all."
        )


class KeyNotFound(AccessError):
    """No valid key has this id."""

    code = "key_not_found"

    def __init__(self) -> None:
        super().__init__("No key has this id, or it has ended or was rotated before. GET /keys lists all keys.")


class FirstKeyTooNarrow(AccessError):
    """The first key has to allow everything that is needed to make others."""

    code = "first_key_too_narrow"

    def __init__(self) -> None:
        super().__init__(
            "The first key needs the scope `admin` for all collections, and no end. Otherwise nobody could make "
            "another key."
        )


class RateExceeded(Unavailable):
    """More requests in a minute than the access key allows."""

    code = "rate_exceeded"

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__(
            "The access key has sent its requests for this minute. Wait for the seconds in Retry-After, or ask the "
            "operator for a higher rate.",
            retry_after_s=retry_after_s,
        )


class QuotaUsed(Unavailable):
    """More images in a day than the access key allows."""

    code = "quota_used"

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__(
            "The access key has sent its images for this day (UTC). Wait for the seconds in Retry-After, or ask the "
            "operator for more images a day.",
            retry_after_s=retry_after_s,
        )
