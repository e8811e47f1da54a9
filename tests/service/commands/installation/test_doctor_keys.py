"""What `facenet doctor` says of access keys: how many are valid, and what to do if none is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.access.keyring import Keyring, KeyToCreate
from service.access.secret_file import SECRET_FILE, KeySecret, write_admin_key
from service.domain.access import Scope
from service.gallery.opening import Server, open_gallery
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from tests.support.doctor import fault, line_of, run_doctor
from tests.support.postgres_server import PostgresServer

pytestmark = pytest.mark.anyio

ADMIN = KeyToCreate([Scope.ADMIN])
EXPIRED = KeyToCreate([Scope.READ], expires_at=datetime.now(UTC) - timedelta(seconds=1))


async def make_keys(data_dir: Path, *new: KeyToCreate, url: str | None = None) -> list[str]:
    """Make keys in a gallery, and return their ids."""
    with open_gallery(data_dir, "flat", server=Server(url) if url else None) as gallery:
        keyring = Keyring(gallery.database, KeySecret(data_dir / SECRET_FILE), None)
        return [(await keyring.create(one))[0].stored.id for one in new]


async def test_without_a_key_in_the_gallery_none_is_needed(data_dir: Path) -> None:
    with open_gallery(data_dir, "flat"):
        answer = run_doctor()
    assert f"the gallery of {data_dir} holds none" in line_of(answer.output, "ok", "access key")


async def test_the_valid_keys_of_the_gallery_are_counted(data_dir: Path) -> None:
    await make_keys(data_dir, ADMIN, ADMIN, EXPIRED)
    answer = run_doctor()
    assert "valid keys in the gallery: 2. A request needs one" in line_of(answer.output, "ok", "access key")
    assert answer.exit_code == 0


async def test_the_keys_are_counted_beside_the_process_that_uses_them(data_dir: Path) -> None:
    with open_gallery(data_dir, "flat") as gallery:
        keyring = Keyring(gallery.database, KeySecret(data_dir / SECRET_FILE), None)
        await keyring.create(ADMIN)
        answer = run_doctor()
    assert "valid keys in the gallery: 1." in line_of(answer.output, "ok", "access key")


async def test_keys_without_their_secret_are_a_fault_and_no_secret_is_made(data_dir: Path) -> None:
    await make_keys(data_dir, ADMIN, ADMIN)
    secret = data_dir / SECRET_FILE
    secret.unlink()
    answer = run_doctor()
    found = fault(answer.output, "access key")
    assert f"keys in the gallery: 2, and none of them is valid. {secret} is missing." in found
    assert f"refused with 401. Copy key_secret from the old data directory to {secret}." in found
    assert "FACE_ADMIN_KEY_FILE" in found
    assert answer.exit_code == 1
    assert not secret.exists()


async def test_keys_with_another_secret_are_a_fault(data_dir: Path) -> None:
    await make_keys(data_dir, ADMIN)
    (data_dir / SECRET_FILE).write_text(f"{'0' * 64}\n")
    found = fault(run_doctor().output, "access key")
    assert f"{data_dir / SECRET_FILE} is not the secret of these keys." in found


async def test_a_damaged_secret_is_a_fault(data_dir: Path) -> None:
    await make_keys(data_dir, ADMIN)
    (data_dir / SECRET_FILE).write_text("x")
    assert f"{data_dir / SECRET_FILE} is damaged" in fault(run_doctor().output, "access key")


async def test_keys_that_have_all_ended_are_a_fault(data_dir: Path) -> None:
    with open_gallery(data_dir, "flat") as gallery:
        keyring = Keyring(gallery.database, KeySecret(data_dir / SECRET_FILE), None)
        only, _ = await keyring.create(ADMIN)
        await keyring.revoke(only.stored.id)
    found = fault(run_doctor().output, "access key")
    assert "none of them is valid any more. Every request is refused with 401. Set FACE_ADMIN_KEY_FILE" in found


async def test_with_the_key_of_the_operator_useless_keys_are_noted(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_admin_key(data_dir.parent / "admin.key")
    monkeypatch.setenv("FACE_ADMIN_KEY_FILE", str(data_dir.parent / "admin.key"))
    await make_keys(data_dir, ADMIN)
    counted = run_doctor()
    assert "ok     access key: valid keys in the gallery: 1\n" in counted.output
    (data_dir / SECRET_FILE).unlink()
    noted = run_doctor()
    assert "none of them is valid" in line_of(noted.output, "note", "access key")
    assert noted.exit_code == 0


async def test_keys_of_two_secrets_are_counted_apart(data_dir: Path) -> None:
    await make_keys(data_dir, ADMIN)
    (data_dir / SECRET_FILE).unlink()
    await make_keys(data_dir, ADMIN)
    answer = run_doctor()
    assert "valid keys in the gallery: 1." in line_of(answer.output, "ok", "access key")
    assert "not valid: 1. facenet keys list --ended shows them. Revoke them, and make new ones." in line_of(
        answer.output, "note", "access key"
    )


def test_if_the_keys_cannot_be_read_it_says_so(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700)
    (data_dir / DATABASE_FILE).write_bytes(b"no database" * 1000)
    answer = run_doctor()
    assert "it is not known which keys the gallery holds" in line_of(answer.output, "note", "access key")
    assert fault(answer.output, "gallery")


async def test_the_keys_in_a_database_server_are_counted(
    data_dir: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.create_database()
    monkeypatch.setenv("FACE_GALLERY__URL", url)
    assert "The database has no tables yet." in line_of(run_doctor().output, "ok", "gallery")
    await make_keys(data_dir, ADMIN, url=url)
    answer = run_doctor()
    assert "valid keys in the gallery: 1." in line_of(answer.output, "ok", "access key")
    assert "The tables are of this version." in line_of(answer.output, "ok", "gallery")
    (data_dir / SECRET_FILE).unlink()
    assert "FACE_KEY_SECRET_FILE" in fault(run_doctor().output, "access key")
