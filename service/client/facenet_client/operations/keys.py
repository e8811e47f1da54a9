"""Access keys: who may call the service."""

from collections.abc import Sequence

from facenet_client.calls import Call, json_as, path_of, query, read_receipt
from facenet_client.operations.operation import Resource, Sends, sent
from facenet_client.schemas import KeyAnswer, KeysAnswer, NewKeyAnswer, Scope


class Keys(Resource[Sends]):
    """The access keys of the service. All of this needs the scope `admin`.

    A call that makes or ends a key is sent once, even if the service is busy: of a key that was made twice, nobody
    would know.
    """

    @sent
    def list(self) -> Call[tuple[KeyAnswer, ...]]:
        """Return all keys, without their secret parts. Those that have ended are listed too."""
        return Call("GET", "/keys", lambda response: json_as(KeysAnswer)(response).items)

    @sent
    def create(
        self,
        scopes: Sequence[Scope],
        *,
        collections: Sequence[str] | None = None,
        label: str | None = None,
        expires_in_s: int | None = None,
        requests_per_minute: int | None = None,
        images_per_day: int | None = None,
    ) -> Call[NewKeyAnswer]:
        """Make a key. It is in this answer only. With the first one, the service answers no request without a key.

        collections: those that the key sees. None: all.
        label: a note for people, such as the name of a door.
        """
        body = {
            "scopes": list(scopes),
            "collections": None if collections is None else list(collections),
            "label": label,
            "expires_in_s": expires_in_s,
            "requests_per_minute": requests_per_minute,
            "images_per_day": images_per_day,
        }
        return Call("POST", "/keys", json_as(NewKeyAnswer), {"json": body}, is_repeatable=False)

    @sent
    def rotate(self, key_id: str, *, overlap_s: int | None = None) -> Call[NewKeyAnswer]:
        """Make a key that allows the same as this one, and let this one end after the overlap."""
        path = path_of("keys", key_id, "rotate")
        return Call("POST", path, json_as(NewKeyAnswer), query(overlap_s=overlap_s), is_repeatable=False)

    @sent
    def revoke(self, key_id: str) -> Call[str | None]:
        """Revoke a key. The next request with it is refused."""
        return Call("DELETE", path_of("keys", key_id), read_receipt, is_repeatable=False)
