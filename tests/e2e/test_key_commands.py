"""`facenet keys` against a running service, and who may call it after a start, a kill and a restore."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.running_service import RunningService, facenet_command, run_service, service_environment

pytestmark = pytest.mark.slow


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def facenet(service: RunningService, *arguments: str, key: Path | None = None, code: int = 0) -> tuple[str, str]:
    """Run a command with the key of a file, and return what it printed on both outputs."""
    inherited = {name: value for name, value in os.environ.items() if name != "FACENET_KEY_FILE"}
    environment = inherited | ({"FACENET_KEY_FILE": str(key)} if key else {})
    command = facenet_command(*arguments, "--url", service.url)
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert result.returncode == code, result.stderr
    return result.stdout, result.stderr


def make_key(service: RunningService, file: Path, *options: str, key: Path | None = None) -> str:
    """Make a key, store it in a file, and return its id."""
    facenet(service, "keys", "create", *options, "--out", str(file), key=key)
    assert file.stat().st_mode & 0o777 == 0o600
    return file.read_text().split("_")[1]


def get(service: RunningService, path: str, key_file: Path) -> int:
    return httpx.get(f"{service.url}{path}", headers={"x-api-key": key_file.read_text().strip()}).status_code


def test_a_service_is_closed_by_its_first_key_and_opened_to_others_by_more_keys(
    models_dir: Path, data_dir: Path, tmp_path: Path, photographs: Path
) -> None:
    admin, door, staff = (tmp_path / name for name in ("admin.key", "door.key", "staff.key"))
    with run_service(data_dir, models_dir) as service:
        service.wait_for_log("no_access_keys")
        make_key(service, admin, "--scope", "verify,read,enrol,admin,metrics", "--label", "operator")
        _, error = facenet(service, "keys", "list", code=1)
        assert error == (
            "facenet: The service wants an access key. Pass --key-file FILE, or set FACENET_KEY_FILE=FILE.\n"
        )
        options = ("--scope", "verify", "--collection", "staff", "--expires", "90d", "--out", str(door))
        _, said = facenet(service, "keys", "create", *options, key=admin)
        assert "facenet: There is no collection `staff` yet. Requests for it are answered with 404" in said
        door_id = door.read_text().split("_")[1]
        limit = ("--requests-per-minute", "1000")
        make_key(service, staff, "--scope", "read,enrol", "--collection", "staff", *limit, key=admin)
        output, _ = facenet(service, "enrol", str(photographs), "--collection", "staff", key=staff)
        assert "enrolled" in output
        assert get(service, "/collections/staff", staff) == 200
        exported = tmp_path / "obama.json"
        facenet(service, "export-subject", "obama", str(exported), "--collection", "staff", key=staff)
        assert exported.stat().st_mode & 0o777 == 0o600
        path = "../../staff/subjects/obama"
        facenet(service, "export-subject", path, str(tmp_path / "x"), "--collection", "y", key=staff, code=2)
        assert not (tmp_path / "x").exists()
        assert get(service, "/collections/staff", door) == 403
        _, said = facenet(service, "keys", "create", "--scope", "verify", "--collection", "staff", key=admin)
        assert "no collection" not in said
        listed, _ = facenet(service, "keys", "list", key=admin)
        assert door_id in listed
        assert "operator" in listed
        assert listed.count("1,000 a minute") == 1
        rotated, _ = facenet(service, "keys", "rotate", door_id, "--overlap", "1h", key=admin)
        (tmp_path / "new.key").write_text(rotated)
        assert [get(service, "/model", file) for file in (door, tmp_path / "new.key")] == [200, 200]
        facenet(service, "keys", "revoke", door_id, key=admin)
        assert [get(service, "/model", file) for file in (door, tmp_path / "new.key")] == [401, 200]
        assert service.stop() == 0
    logged = "".join(service.log_lines)
    for file in (admin, door, staff, tmp_path / "new.key"):
        assert file.read_text().split("_", 2)[2].strip() not in logged


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--scope", "all"), "The scopes are verify, read, enrol, admin, metrics"),
        (("--scope", "admin", "--expires", "soon"), "A duration is a number and a unit"),
        (("--scope", "admin", "--expires", "99999d"), "body.expires_in_s"),
        (("--scope", "read", "--collection", "bad id!"), "body.collections"),
        (("--scope", "read", "--out", "/dev/null"), "exists already"),
        (("--scope", "read"), "The first key needs the scope `admin`"),
    ],
)
def test_a_key_that_cannot_be_made_is_explained(
    service: RunningService, options: tuple[str, ...], message: str
) -> None:
    command = facenet_command("keys", "create", *options, "--url", service.url)
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode != 0
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert httpx.get(f"{service.url}/collections").status_code == 200


@pytest.mark.parametrize("key_id", ["../collections/default", "..", "a/b", "0" * 13])
def test_an_id_that_would_be_another_path_is_refused(service: RunningService, key_id: str) -> None:
    for command in ("revoke", "rotate"):
        arguments = facenet_command("keys", command, key_id, "--url", service.url)
        result = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
        assert "hexadecimal" in result.stderr
    assert httpx.get(f"{service.url}/collections/default").status_code == 200


def test_keys_and_revocations_that_were_acknowledged_survive_a_kill(
    models_dir: Path, data_dir: Path, tmp_path: Path
) -> None:
    admin, door = tmp_path / "admin.key", tmp_path / "door.key"
    with run_service(data_dir, models_dir) as service:
        make_key(service, admin, "--scope", "admin")
        door_id = make_key(service, door, "--scope", "read", key=admin)
        _, said = facenet(service, "keys", "create", "--scope", "read", "--collection", "nothere", key=admin)
        assert "no collection" not in said  # the key of the command may not read, so it cannot know
        facenet(service, "keys", "revoke", door_id, key=admin)
        service.kill()
    with run_service(data_dir, models_dir) as service:
        assert get(service, "/keys", admin) == 200
        assert get(service, "/model", door) == 401
        assert httpx.get(f"{service.url}/collections").status_code == 401


def test_without_a_key_no_other_machine_is_let_in(models_dir: Path, data_dir: Path, tmp_path: Path) -> None:
    environment = service_environment(data_dir, models_dir, FACE_HOST="0.0.0.0")  # noqa: S104
    result = subprocess.run(
        facenet_command("serve"), env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 1
    assert "facenet: The service has no access key, and FACE_HOST=0.0.0.0 lets other machines call it." in result.stderr
    key = tmp_path / "admin.key"
    subprocess.run(facenet_command("keys", "generate", str(key)), check=True, timeout=60)
    settings = {"FACE_HOST": "0.0.0.0", "FACE_ADMIN_KEY_FILE": str(key)}  # noqa: S104
    with run_service(data_dir, models_dir, **settings) as service:
        service.url = service.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        assert httpx.get(f"{service.url}/collections").status_code == 401
        assert get(service, "/keys", key) == 200


def test_after_a_restore_the_keys_are_valid_only_with_the_old_secret(
    models_dir: Path, data_dir: Path, tmp_path: Path
) -> None:
    admin, restored = tmp_path / "admin.key", tmp_path / "restored"
    with run_service(data_dir, models_dir) as service:
        make_key(service, admin, "--scope", "admin,read")
        facenet(service, "backup", str(tmp_path / "gallery.tar"), key=admin)
    lines = restore(tmp_path / "gallery.tar", restored, models_dir)
    assert f"Access keys in the backup: 1. They are not valid, because {restored / 'key_secret'} is missing." in lines
    assert f"copy key_secret from the old data directory to {restored / 'key_secret'}." in lines
    assert lines.endswith("Otherwise every request is refused with 401.\n")
    with run_service(restored, models_dir) as service:
        service.wait_for_log("keys_unusable")
        assert get(service, "/keys", admin) == 401
        assert httpx.get(f"{service.url}/collections").status_code == 401
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(30)
    shutil.copy(data_dir / "key_secret", restored / "key_secret")
    with run_service(restored, models_dir) as service:
        assert get(service, "/keys", admin) == 200
    settings = {"FACE_KEY_SECRET_FILE": str(data_dir / "key_secret")}
    assert "Access keys" not in restore(tmp_path / "gallery.tar", tmp_path / "again", models_dir, **settings)


def test_a_restore_with_the_key_of_the_operator_says_that_others_are_not_valid(
    models_dir: Path, data_dir: Path, tmp_path: Path
) -> None:
    admin = tmp_path / "admin.key"
    with run_service(data_dir, models_dir) as service:
        facenet(service, "backup", str(tmp_path / "open.tar"))
        make_key(service, admin, "--scope", "admin")
        facenet(service, "backup", str(tmp_path / "closed.tar"), key=admin)
    assert "Access keys" not in restore(tmp_path / "open.tar", tmp_path / "open", models_dir)
    lines = restore(tmp_path / "closed.tar", tmp_path / "closed", models_dir, FACE_ADMIN_KEY_FILE=str(admin))
    assert lines.endswith("If it is lost: make new keys with the key of FACE_ADMIN_KEY_FILE.\n")


def restore(backup: Path, data_dir: Path, models_dir: Path, **settings: str) -> str:
    """Restore a backup into a new directory, and return what the command prints."""
    environment = service_environment(data_dir, models_dir, **settings)
    command = facenet_command("restore", str(backup))
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert (data_dir.stat().st_mode & 0o777, result.stderr) == (0o700, "")
    return result.stdout
