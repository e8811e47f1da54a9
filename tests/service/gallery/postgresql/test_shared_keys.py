"""Replicas share their access keys: what one of them changed, the others know with the next request."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from service.access.keyring import Keyring, KeyToCreate
from service.access.secret_file import SECRET_FILE, KeySecret
from service.domain.access import FULL_ACCESS, Scope, work_with
from service.domain.access_errors import FirstKeyTooNarrow, KeyInvalid, KeyMissing, KeyNotFound, QuotaUsed
from service.domain.errors import StorageUnavailable
from service.gallery.records.shared_settings import SharedSettings
from service.gallery.records.statements import keys
from service.gallery.records.statements.keys import KeyUse
from tests.service.gallery.postgresql.conftest import OpenReplica

pytestmark = pytest.mark.anyio

ADMIN = KeyToCreate(list(Scope), label="operator")
LIMITED = replace(ADMIN, label="\0odd\x1an", images_per_day=10)


class KeyReplica:
    """The keys of one replica, and what it does at the beginning of each request."""

    def __init__(self, open_replica: OpenReplica, secret: Path) -> None:
        self.database = open_replica().gallery.database
        self.keyring = Keyring(self.database, KeySecret(secret), None)
        self.catch_up = SharedSettings(self.database, [self.keyring.read_keys]).catch_up

    async def lets_in(self, key: str | None) -> bool:
        """Return whether a request with the key is let in."""
        await self.catch_up()
        try:
            self.keyring.authenticate(key)
        except (KeyInvalid, KeyMissing):
            return False
        return True


Pair = tuple[KeyReplica, KeyReplica]


@pytest.fixture(params=["faiss"])
def index(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def both(tmp_path: Path, open_replica: OpenReplica) -> Pair:
    return KeyReplica(open_replica, tmp_path / SECRET_FILE), KeyReplica(open_replica, tmp_path / SECRET_FILE)


async def test_the_first_key_closes_the_other_replica(both: Pair) -> None:
    first, second = both
    assert second.keyring.authenticate(None) == FULL_ACCESS
    _, text = await first.keyring.create(ADMIN)
    assert not await second.lets_in(None)
    assert await second.lets_in(text)
    with pytest.raises(KeyMissing):
        second.keyring.require_valid(FULL_ACCESS)
    assert not second.keyring.is_open


async def test_a_narrow_first_key_is_refused_by_both(both: Pair) -> None:
    for replica in both:
        with pytest.raises(FirstKeyTooNarrow):
            await replica.keyring.create(KeyToCreate([Scope.VERIFY]))


async def test_a_key_that_one_has_made_rotated_or_revoked_is_known_to_the_other(both: Pair) -> None:
    await both[0].keyring.create(ADMIN)
    for replica, other in (both, both[::-1]):
        await replica.catch_up()
        made, text = await replica.keyring.create(LIMITED)
        assert await other.lets_in(text)
        rotated, new_text = await other.keyring.rotate(made.stored.id, overlap_s=0)
        assert not await replica.lets_in(text)
        assert await replica.lets_in(new_text)
        assert not await other.lets_in(text)
        await replica.keyring.revoke(rotated.stored.id)
        assert not await other.lets_in(new_text)
        with pytest.raises(KeyNotFound):
            await other.keyring.revoke(rotated.stored.id)
        assert [key.stored.label for key in other.keyring.list_keys()][-1] == LIMITED.label


async def in_order(*works: Callable[[], Awaitable[object]]) -> list[object]:
    """Do one after the other, although the second replica knows nothing of the first one's change."""
    results: list[object] = []
    for work in works:
        try:
            results.append(await work())
        except KeyNotFound as error:
            results.append(error)
    return results


async def test_a_revoked_key_stays_revoked_when_the_other_replica_rotates_it_at_the_same_time(both: Pair) -> None:
    """The other one has read the key before it was revoked."""
    first, second = both
    await first.keyring.create(ADMIN)
    made, text = await first.keyring.create(LIMITED)
    await second.catch_up()
    _, rotated = await in_order(
        lambda: first.keyring.revoke(made.stored.id), lambda: second.keyring.rotate(made.stored.id, 3600)
    )
    assert isinstance(rotated, KeyNotFound)
    with first.database.reading() as connection:
        stored = {row.id: row for row in keys.load_all(connection)}
    assert len(stored) == 2
    assert stored[made.stored.id].revoked_at is not None
    assert not await first.lets_in(text)
    assert not await second.lets_in(text)


async def test_a_key_is_rotated_once(both: Pair) -> None:
    first, second = both
    made, _ = await first.keyring.create(ADMIN)
    await second.catch_up()
    rotated = await asyncio.gather(
        *(replica.keyring.rotate(made.stored.id, 60) for replica in both * 2), return_exceptions=True
    )
    assert [type(one) for one in rotated].count(KeyNotFound) == 3
    await second.catch_up()
    assert len(second.keyring.list_keys()) == 2


async def test_a_key_can_be_revoked_after_a_rotation_by_the_other_replica(both: Pair) -> None:
    first, second = both
    await first.keyring.create(ADMIN)
    made, text = await first.keyring.create(LIMITED)
    await second.catch_up()
    _, new_text = await second.keyring.rotate(made.stored.id, 3600)
    await first.keyring.revoke(made.stored.id)
    assert not await second.lets_in(text)
    assert await second.lets_in(new_text)


async def test_the_images_of_a_day_add_up(both: Pair) -> None:
    first, second = both
    _, text = await first.keyring.create(replace(ADMIN, images_per_day=10))
    await second.catch_up()
    for replica, images in ((first, 4), (second, 5)):
        access = replica.keyring.authenticate(text)
        with work_with(access):
            replica.keyring.count_images(images)
    await first.keyring.store_uses()
    await second.keyring.store_uses()
    await first.keyring.store_uses()
    for replica in both:
        assert replica.keyring.list_keys()[0].stored.images_used == 9
        with work_with(replica.keyring.authenticate(text)), pytest.raises(QuotaUsed):
            replica.keyring.count_images(2)
    with work_with(second.keyring.authenticate(text)):
        second.keyring.count_images(1)
    await second.keyring.store_uses()
    await first.keyring.store_uses()
    assert first.keyring.list_keys()[0].stored.images_used == 10


async def test_images_of_yesterday_that_are_stored_late_leave_those_of_today(both: Pair) -> None:
    """After midnight, one replica stores what it counted before it, after the other one has stored new images."""
    made, _ = await both[0].keyring.create(ADMIN)
    now = datetime.now(UTC)
    for day, images, used_at in (
        ("2026-01-02", 3, now),
        ("2026-01-01", 5, now - timedelta(hours=1)),
        ("2026-01-02", 4, now),
    ):
        with both[1].database.writing() as connection:
            keys.add_uses(connection, [KeyUse(made.stored.id, used_at, day, images)])
    with both[0].database.reading() as connection:
        (stored,) = keys.load_all(connection)
    assert (stored.images_day, stored.images_used, stored.last_used_at) == ("2026-01-02", 7, now)


async def test_a_key_that_was_revoked_without_the_database_is_refused(both: Pair, url: str) -> None:
    first, second = both
    made, text = await first.keyring.create(ADMIN)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE storage IN EXCLUSIVE MODE")
        with pytest.raises(StorageUnavailable):
            await first.keyring.revoke(made.stored.id)
    assert not await first.lets_in(text)
    assert await second.lets_in(text)
    await first.keyring.revoke(made.stored.id)
    assert not await second.lets_in(text)


async def test_a_changed_row_makes_its_key_invalid_at_all_replicas(both: Pair, url: str) -> None:
    first, second = both
    _, text = await first.keyring.create(ADMIN)
    with psycopg.connect(url) as other:
        other.execute("UPDATE keys SET requests_per_minute = 1000000")
        other.execute("UPDATE storage SET settings_version = settings_version + 1")
    assert not await first.lets_in(text)
    assert not await second.lets_in(text)
    assert first.keyring.unusable_keys == 1
