"""Keys are found, created, rotated and revoked, and survive a restart."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.access.key import KeyHasher
from service.access.keyring import ADMIN_KEY, Keyring, KeyToCreate
from service.access.opening import AccessOptions, is_loopback, open_keyring
from service.domain.access import FULL_ACCESS, Access, Scope, work_with
from service.domain.access_errors import FirstKeyTooNarrow, KeyInvalid, KeyMissing, KeyNotFound, QuotaUsed, RateExceeded
from service.domain.command_errors import InvalidSettings
from service.gallery.data_directory import DATABASE_FILE
from service.gallery.records.database import Database

pytestmark = pytest.mark.anyio

HASHER = KeyHasher(bytes(range(32)))
DOOR = KeyToCreate([Scope.VERIFY], ["staff"], label="north door")
ADMIN = KeyToCreate(list(Scope), label="operator")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / DATABASE_FILE)) as database:
        database.migrate()
        yield database


@pytest.fixture
def data_bytes(tmp_path: Path) -> Callable[[], bytes]:
    """Return a function that reads all files of the data directory."""
    return lambda: b"".join(file.read_bytes() for file in tmp_path.iterdir())


@pytest.fixture
def open_ring(database: Database) -> Keyring:
    """Return a keyring without a key."""
    return Keyring(database, HASHER, admin_key=None)


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
    assert access == Access(stored.id, frozenset({Scope.VERIFY}), frozenset({"staff"}))


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


async def test_a_revoked_key_is_refused_at_once_and_after_a_restart(database: Database, keyring: Keyring) -> None:
    stored, key = await keyring.create(DOOR)
    await keyring.revoke(stored.id)
    for ring in (keyring, Keyring(database, HASHER, None)):
        assert not ring.is_open
        with pytest.raises(KeyInvalid):
            ring.authenticate(key)
    for unknown in (stored.id, "0" * 12):
        with pytest.raises(KeyNotFound):
            await keyring.revoke(unknown)
        with pytest.raises(KeyNotFound):
            await keyring.rotate(unknown, 60)


async def test_a_rotated_key_allows_the_same_and_the_old_one_ends_after_the_overlap(
    database: Database, keyring: Keyring
) -> None:
    ends_at = datetime.now(UTC) + timedelta(days=30)
    old, old_key = await keyring.create(
        KeyToCreate([Scope.VERIFY, Scope.READ], ["staff"], "door", ends_at, requests_per_minute=9, images_per_day=8)
    )
    new, new_key = await keyring.rotate(old.id, 60)
    for ring in (keyring, Keyring(database, HASHER, None)):
        assert ring.authenticate(old_key).key == old.id
        access = ring.authenticate(new_key)
        assert access == Access(new.id, frozenset({Scope.VERIFY, Scope.READ}), frozenset({"staff"}))
    assert (new.label, new.requests_per_minute, new.images_per_day) == ("door", 9, 8)
    assert new.expires_at is not None
    assert abs(new.expires_at - ends_at) < timedelta(minutes=1)
    await keyring.rotate(new.id, 0)
    with pytest.raises(KeyInvalid):
        keyring.authenticate(new_key)


async def test_a_rotation_does_not_make_the_old_key_live_longer(keyring: Keyring) -> None:
    ends_at = datetime.now(UTC) + timedelta(seconds=30)
    old, _ = await keyring.create(KeyToCreate([Scope.READ], expires_at=ends_at))
    await keyring.rotate(old.id, 3600)
    assert {key.id: key for key in keyring.list_keys()}[old.id].expires_at == ends_at


async def test_a_key_of_another_secret_is_not_valid_and_the_service_does_not_open(
    database: Database, keyring: Keyring
) -> None:
    _, key = await keyring.create(DOOR)
    other = Keyring(database, KeyHasher(bytes(32)), None)
    assert (other.is_open, other.foreign_keys) == (False, 2)
    with pytest.raises(KeyInvalid):
        other.authenticate(key)


async def test_the_key_of_the_operator_allows_everything(database: Database) -> None:
    keyring = Keyring(database, HASHER, admin_key="operator" * 5)
    assert not keyring.is_open
    access = keyring.authenticate("operator" * 5)
    assert access == Access(ADMIN_KEY, frozenset(Scope), None)
    with pytest.raises(KeyInvalid):
        keyring.authenticate("operator" * 4)


async def test_the_database_holds_no_key(data_bytes: Callable[[], bytes], keyring: Keyring) -> None:
    stored, key = await keyring.create(DOOR)
    assert stored.id.encode() in data_bytes()
    assert key.rpartition("_")[2].encode() not in data_bytes()


async def test_who_can_write_to_the_database_cannot_add_a_key(tmp_path: Path, database: Database) -> None:
    """The thief knows a key of a service of his own, and copies its row."""
    own = Keyring(database, KeyHasher(b"thief" * 8), None)
    _, key = await own.create(ADMIN)
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection, connection:
        connection.execute("UPDATE keys SET secret_id = ?", (HASHER.id,))
    with pytest.raises(KeyInvalid):
        Keyring(database, HASHER, None).authenticate(key)


async def test_requests_and_images_are_limited_by_key(keyring: Keyring) -> None:
    _, busy = await keyring.create(KeyToCreate([Scope.VERIFY], requests_per_minute=2, images_per_day=5))
    _, other = await keyring.create(KeyToCreate([Scope.VERIFY], requests_per_minute=2, images_per_day=5))
    with work_with(keyring.authenticate(busy)):
        keyring.count_images(5)
        with pytest.raises(QuotaUsed):
            keyring.count_images(1)
    keyring.authenticate(busy)
    with pytest.raises(RateExceeded):
        keyring.authenticate(busy)
    with work_with(keyring.authenticate(other)):
        keyring.count_images(5)


async def test_uses_are_stored_and_continue_after_a_restart(database: Database, keyring: Keyring) -> None:
    _, key = await keyring.create(KeyToCreate([Scope.VERIFY], images_per_day=5))
    assert keyring.list_keys()[-1].last_used_at is None
    with work_with(keyring.authenticate(key)):
        keyring.count_images(4)
    await keyring.store_uses()
    again = Keyring(database, HASHER, None)
    listed = again.list_keys()[-1]
    assert listed.last_used_at is not None
    assert listed.images_used == 4
    with work_with(again.authenticate(key)), pytest.raises(QuotaUsed):
        again.count_images(2)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "faces.example.com", "127.0.0.1.example.com"])  # noqa: S104
async def test_without_a_key_other_machines_are_not_let_in(database: Database, tmp_path: Path, host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(InvalidSettings, match="facenet keys generate"):
        async with open_keyring(database, tmp_path, AccessOptions(host, None, insecure=False)):
            pass
    async with open_keyring(database, tmp_path, AccessOptions(host, None, insecure=True)) as keyring:
        assert keyring.is_open


async def test_with_a_key_every_address_is_served(database: Database, tmp_path: Path, keyring: Keyring) -> None:
    await keyring.create(DOOR)
    async with open_keyring(database, tmp_path, AccessOptions("0.0.0.0", None, insecure=False)) as opened:  # noqa: S104
        assert not opened.is_open


async def test_the_uses_of_the_last_seconds_are_stored_at_the_end(database: Database, tmp_path: Path) -> None:
    async with open_keyring(database, tmp_path, AccessOptions("127.0.0.1", None, insecure=False)) as keyring:
        _, key = await keyring.create(ADMIN)
        keyring.authenticate(key)
    async with open_keyring(database, tmp_path, AccessOptions("::1", None, insecure=False)) as keyring:
        assert keyring.list_keys()[-1].last_used_at is not None
