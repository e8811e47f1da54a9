"""Keys are found, created, rotated and revoked, and survive a restart."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.access.keyring import ADMIN_KEY, Keyring, KeyToCreate
from service.access.opening import AccessOptions, is_loopback, open_keyring
from service.access.secret_file import SECRET_FILE, KeySecret
from service.domain.access import FULL_ACCESS, Access, Scope, work_with
from service.domain.access_errors import FirstKeyTooNarrow, KeyInvalid, KeyMissing, KeyNotFound, QuotaUsed, RateExceeded
from service.domain.command_errors import InvalidSettings
from service.domain.errors import StorageUnavailable
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from service.gallery.records.sqlite.database import SqliteDatabase
from service.gallery.records.statements import keys

pytestmark = pytest.mark.anyio

Load = Callable[[], Keyring]

DOOR = KeyToCreate([Scope.VERIFY], ["staff"], label="north door")
ADMIN = KeyToCreate(list(Scope), label="operator")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    with closing(SqliteDatabase(tmp_path / DATABASE_FILE)) as database:
        database.migrate()
        yield database


@pytest.fixture
def data_bytes(tmp_path: Path) -> Callable[[], bytes]:
    """Return a function that reads all files of the data directory."""
    return lambda: b"".join(file.read_bytes() for file in tmp_path.iterdir())


@pytest.fixture
def load(database: SqliteDatabase, tmp_path: Path) -> Load:
    """Return a function that loads the keys as a start of the service does."""
    return lambda: Keyring(database, KeySecret(tmp_path / SECRET_FILE), admin_key=None)


@pytest.fixture
def open_ring(load: Load) -> Keyring:
    """Return a keyring without a key."""
    return load()


@pytest.fixture
async def keyring(open_ring: Keyring) -> Keyring:
    """Return a keyring with one key, which allows everything."""
    await open_ring.create(ADMIN)
    return open_ring


async def test_without_keys_everybody_may_do_everything(open_ring: Keyring) -> None:
    assert open_ring.is_open
    assert open_ring.authenticate(None) is FULL_ACCESS
    assert open_ring.authenticate("a key that a proxy added") is FULL_ACCESS


@pytest.mark.parametrize("new", [DOOR, KeyToCreate([Scope.ADMIN], ["staff"]), KeyToCreate([Scope.READ])])
async def test_the_first_key_must_be_able_to_make_others(open_ring: Keyring, new: KeyToCreate) -> None:
    with pytest.raises(FirstKeyTooNarrow):
        await open_ring.create(new)
    assert open_ring.is_open


async def test_with_the_first_key_nobody_gets_in_without_one(keyring: Keyring) -> None:
    stored, key = await keyring.create(DOOR)
    with pytest.raises(KeyMissing):
        keyring.authenticate(None)
    access = keyring.authenticate(key)
    assert access == Access(stored.stored.id, frozenset({Scope.VERIFY}), frozenset({"staff"}))


async def test_a_wrong_key_is_refused_whatever_is_wrong(keyring: Keyring) -> None:
    _, key = await keyring.create(DOOR)
    _, other = await keyring.create(DOOR)
    mixed = key[:20] + other[20:]
    for wrong in (mixed, key[:-1], f"{key} ", key.swapcase(), "", "x" * 10_000, "é" * 50):
        with pytest.raises(KeyInvalid):
            keyring.authenticate(wrong)


async def test_a_key_ends_at_its_time_and_the_service_does_not_open(keyring: Keyring) -> None:
    _, key = await keyring.create(KeyToCreate([Scope.READ], expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    with pytest.raises(KeyInvalid):
        keyring.authenticate(key)
    with pytest.raises(KeyMissing):
        keyring.authenticate(None)


async def test_a_revoked_key_is_refused_at_once_and_after_a_restart(load: Load, keyring: Keyring) -> None:
    stored, key = await keyring.create(DOOR)
    await keyring.revoke(stored.stored.id)
    for ring in (keyring, load()):
        assert not ring.is_open
        with pytest.raises(KeyInvalid):
            ring.authenticate(key)
    for unknown in (stored.stored.id, "0" * 12):
        with pytest.raises(KeyNotFound):
            await keyring.revoke(unknown)
        with pytest.raises(KeyNotFound):
            await keyring.rotate(unknown, 60)


async def test_a_rotated_key_allows_the_same_and_the_old_one_ends_after_the_overlap(
    load: Load, keyring: Keyring
) -> None:
    ends_at = datetime.now(UTC) + timedelta(days=30)
    old, old_key = await keyring.create(
        KeyToCreate([Scope.VERIFY, Scope.READ], ["staff"], "door", ends_at, requests_per_minute=9, images_per_day=8)
    )
    new, new_key = await keyring.rotate(old.stored.id, 60)
    for ring in (keyring, load()):
        assert ring.authenticate(old_key).key == old.stored.id
        access = ring.authenticate(new_key)
        assert access == Access(new.stored.id, frozenset({Scope.VERIFY, Scope.READ}), frozenset({"staff"}))
    assert (new.stored.label, new.stored.requests_per_minute, new.stored.images_per_day) == ("door", 9, 8)
    assert new.stored.expires_at is not None
    assert abs(new.stored.expires_at - ends_at) < timedelta(minutes=1)
    await keyring.rotate(new.stored.id, 0)
    with pytest.raises(KeyInvalid):
        keyring.authenticate(new_key)


async def test_a_rotation_does_not_make_the_old_key_live_longer(keyring: Keyring) -> None:
    ends_at = datetime.now(UTC) + timedelta(seconds=30)
    old, _ = await keyring.create(KeyToCreate([Scope.READ], expires_at=ends_at))
    await keyring.rotate(old.stored.id, 3600)
    assert {state.stored.id: state for state in keyring.list_keys()}[old.stored.id].stored.expires_at == ends_at


async def test_a_key_of_another_secret_is_not_valid_and_the_service_does_not_open(
    load: Load, keyring: Keyring, tmp_path: Path
) -> None:
    _, key = await keyring.create(DOOR)
    (tmp_path / SECRET_FILE).unlink()
    other = load()
    assert (other.is_open, other.unusable_keys, other.can_be_called) == (False, 2, False)
    with pytest.raises(KeyInvalid):
        other.authenticate(key)


async def test_the_key_of_the_operator_allows_everything(database: SqliteDatabase, tmp_path: Path) -> None:
    keyring = Keyring(database, KeySecret(tmp_path / SECRET_FILE), admin_key="operator" * 5)
    assert not keyring.is_open
    access = keyring.authenticate("operator" * 5)
    assert access == Access(ADMIN_KEY, frozenset(Scope), None)
    with pytest.raises(KeyInvalid):
        keyring.authenticate("operator" * 4)


async def test_the_database_holds_no_key(data_bytes: Callable[[], bytes], keyring: Keyring) -> None:
    stored, key = await keyring.create(DOOR)
    assert stored.stored.id.encode() in data_bytes()
    assert key.split("_", 2)[2].encode() not in data_bytes()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE keys SET scopes = '[\"admin\"]'",
        "UPDATE keys SET collections = NULL",
        "UPDATE keys SET expires_at = NULL",
        "UPDATE keys SET revoked_at = NULL",
        "UPDATE keys SET requests_per_minute = NULL",
        "UPDATE keys SET digest = (SELECT digest FROM keys ORDER BY created_at LIMIT 1)",
        "DELETE FROM keys",
    ],
)
async def test_who_can_write_to_the_database_gets_nothing_more(
    load: Load, keyring: Keyring, tmp_path: Path, change: str
) -> None:
    ends_at = datetime.now(UTC) + timedelta(hours=1)
    new = KeyToCreate([Scope.VERIFY], ["staff"], expires_at=ends_at, requests_per_minute=5)
    stored, key = await keyring.create(new)
    if "revoked_at" in change:
        await keyring.revoke(stored.stored.id)
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection, connection:
        connection.execute(change if "DELETE" in change else f"{change} WHERE label IS NULL")
    changed = load()
    assert not changed.is_open
    with pytest.raises(KeyInvalid):
        changed.authenticate(key)
    with pytest.raises(KeyMissing):
        changed.authenticate(None)


async def test_a_request_is_checked_again_when_its_body_is_complete(open_ring: Keyring) -> None:
    anonymous = open_ring.authenticate(None)
    stored, key = await open_ring.create(ADMIN)
    with pytest.raises(KeyMissing):
        open_ring.require_valid(anonymous)
    access = open_ring.authenticate(key)
    open_ring.require_valid(access)
    await open_ring.revoke(stored.stored.id)
    with pytest.raises(KeyInvalid):
        open_ring.require_valid(access)


async def test_a_key_is_rotated_once_and_its_images_count_for_both(load: Load, keyring: Keyring) -> None:
    old, old_key = await keyring.create(KeyToCreate([Scope.VERIFY], images_per_day=5))
    with work_with(keyring.authenticate(old_key)):
        keyring.count_images(4)
    new, new_key = await keyring.rotate(old.stored.id, 60)
    assert new.stored.expires_at is None
    with pytest.raises(KeyNotFound):
        await keyring.rotate(old.stored.id, 60)
    await keyring.store_uses()
    for ring in (keyring, load()):
        with work_with(ring.authenticate(new_key)), pytest.raises(QuotaUsed):
            ring.count_images(2)
        used = {state.stored.id: state.stored.images_used for state in ring.list_keys()}
        assert (used[old.stored.id], used[new.stored.id]) == (4, 4)


async def test_a_key_that_cannot_be_revoked_on_the_disk_is_refused_and_can_be_revoked_again(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, key = await keyring.create(DOOR)
    with monkeypatch.context() as patched:
        patched.setattr(keys, "set_end", raise_storage_unavailable)
        with pytest.raises(StorageUnavailable):
            await keyring.revoke(stored.stored.id)
    with pytest.raises(KeyInvalid):
        keyring.authenticate(key)
    await keyring.revoke(stored.stored.id)


def raise_storage_unavailable(*_: object) -> None:
    raise StorageUnavailable


async def test_requests_and_images_are_limited_by_key(keyring: Keyring) -> None:
    _, busy = await keyring.create(KeyToCreate([Scope.VERIFY], requests_per_minute=2, images_per_day=5))
    _, other = await keyring.create(KeyToCreate([Scope.VERIFY], requests_per_minute=2, images_per_day=5))
    with work_with(keyring.authenticate(busy)):
        keyring.count_images(5)
        with pytest.raises(QuotaUsed):
            keyring.count_images(1)
    for _ in range(2):
        keyring.count_request(keyring.authenticate(busy))
    with pytest.raises(RateExceeded):
        keyring.count_request(keyring.authenticate(busy))
    with work_with(keyring.authenticate(other)):
        keyring.count_images(5)


async def test_uses_are_stored_and_continue_after_a_restart(load: Load, keyring: Keyring) -> None:
    _, key = await keyring.create(KeyToCreate([Scope.VERIFY], images_per_day=5))
    assert keyring.list_keys()[-1].stored.last_used_at is None
    with work_with(keyring.authenticate(key)):
        keyring.count_images(4)
    await keyring.store_uses()
    again = load()
    listed = again.list_keys()[-1].stored
    assert listed.last_used_at is not None
    assert listed.images_used == 4
    with work_with(again.authenticate(key)), pytest.raises(QuotaUsed):
        again.count_images(2)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "faces.example.com", "127.0.0.1.example.com"])  # noqa: S104
async def test_without_a_key_other_machines_are_not_let_in(database: SqliteDatabase, tmp_path: Path, host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(InvalidSettings, match="facenet keys generate"):
        async with open_keyring(database, tmp_path, AccessOptions(host, None, insecure=False)):
            pass
    async with open_keyring(database, tmp_path, AccessOptions(host, None, insecure=True)) as keyring:
        assert keyring.is_open


async def test_with_a_key_every_address_is_served(database: SqliteDatabase, tmp_path: Path, keyring: Keyring) -> None:
    await keyring.create(DOOR)
    async with open_keyring(database, tmp_path, AccessOptions("0.0.0.0", None, insecure=False)) as opened:  # noqa: S104
        assert not opened.is_open


async def test_the_uses_of_the_last_seconds_are_stored_at_the_end(database: SqliteDatabase, tmp_path: Path) -> None:
    async with open_keyring(database, tmp_path, AccessOptions("127.0.0.1", None, insecure=False)) as keyring:
        _, key = await keyring.create(ADMIN)
        keyring.authenticate(key)
    async with open_keyring(database, tmp_path, AccessOptions("::1", None, insecure=False)) as keyring:
        assert keyring.list_keys()[-1].stored.last_used_at is not None
