"""Checks of the data directory, of the gallery in it, and of the service that uses it."""

import fcntl
import os
import shutil
from pathlib import Path

import httpx

from facenet_client.calls import Call, json_as
from facenet_client.environment import LOOPBACK, find_service
from facenet_client.schemas import HealthAnswer
from service.commands.connection import Connection
from service.commands.installation.finding import Findings
from service.domain.command_errors import KeyFileUnusable, RequestRefused, Unreachable
from service.gallery.opening.inspection import inspect_directory, inspect_server
from service.gallery.records.encryption.key_file import read_key_file
from service.gallery.records.sqlite.data_directory import DATABASE_FILE, LOCK_FILE
from service.gallery.search.milvus.server import require_server
from service.settings.environment import Settings
from service.settings.in_force import milvus_address

HTTP_PORT = 80
LEAST_FREE_BYTES = 100 * 2**20
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # nothing listens here
"""An address that stands for all addresses, and the one to call."""


def check_data_directory(findings: Findings, settings: Settings) -> None:
    """Check that the data directory can be written, is private, and has free space."""
    directory = settings.data_dir
    existing = next(folder for folder in (directory.absolute(), *directory.absolute().parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        findings.fault("data directory", f"{existing} cannot be written. Give it to this user, or set FACE_DATA_DIR.")
        return
    _check_space(findings, existing, directory)
    if not directory.exists():
        findings.ok("data directory", f"{directory} does not exist. The first start makes it")
    elif directory.stat().st_mode & 0o077:
        findings.note("data directory", f"other users can read {directory}. Run: chmod 700 {directory}")
    else:
        findings.ok("data directory", f"{directory} can be written, and only by this user")


def check_milvus(findings: Findings, settings: Settings) -> None:
    """Check that Milvus answers, if the settings name a server. A file of Milvus Lite is not opened."""
    with findings.faults_of("milvus"):
        address = milvus_address(settings)
        if address is None:
            return
        if address.is_file:
            findings.ok("milvus", f"the faces are in {address}")
            return
        require_server(address)
        findings.ok("milvus", f"it answers at {address}")


def check_service_and_gallery(findings: Findings, settings: Settings) -> None:
    """Ask the running service whether it is ready, and a database server too. If none runs, look at the directory."""
    is_running = _check_service(findings, settings)
    is_used = not is_running and _is_locked(settings.data_dir / LOCK_FILE)
    if is_used:
        text = f"another process uses {settings.data_dir}, and no service answers at {_url(settings)}."
        findings.fault("gallery", f"{text} Set FACE_HOST and FACE_PORT as that service has them, or stop it.")
    with findings.faults_of("gallery"):
        if settings.gallery.url is not None:
            _read_key_id(settings)
            findings.ok("gallery", inspect_server(settings.gallery.url.get_secret_value()))
        elif not is_running and not is_used:
            findings.ok("gallery", _inspect_directory(settings))


def _inspect_directory(settings: Settings) -> str:
    """Return what is known of the gallery without a service. Raises StartupError."""
    key_file, key_id = settings.gallery.encryption_key_file, _read_key_id(settings)
    if key_file is not None and key_file.resolve().is_relative_to(settings.data_dir.resolve()):
        raise KeyFileUnusable(f"The key file {key_file} is in the data directory. Move it to another place.")
    return inspect_directory(settings.data_dir, key_id) or "there is none yet. The first start makes it"


def _read_key_id(settings: Settings) -> str | None:
    """Return the id of the key that encrypts the gallery. None if there is none. Raises KeyFileUnusable."""
    key_file = settings.gallery.encryption_key_file
    return None if key_file is None else read_key_file(key_file).id


def _check_service(findings: Findings, settings: Settings) -> bool:
    """Return whether something answers at the address of the service."""
    if settings.port == 0:
        findings.note("service", "FACE_PORT=0 chooses a free port, so it is not known where a service would run")
        return False
    url = _url(settings)
    try:
        with Connection(url, key="") as service:  # it needs none, and another program at this address must not get one
            service.send(Call("GET", "/readyz", json_as(HealthAnswer), is_repeatable=False))
    except Unreachable:
        _say_that_none_runs(findings, url)
        return False
    except RequestRefused as error:
        another = f"another program answers at {url}. Set FACE_PORT to a free port."
        findings.fault("service", another if error.problem_code == "unknown" else f"{url} is not ready: {error}")
    else:
        findings.ok("service", f"one runs at {url}, and is ready. It has checked its gallery")
    return True


def _say_that_none_runs(findings: Findings, url: str) -> None:
    """Say that no service runs at the address of the settings, and whether the commands call another address."""
    none_runs, named = f"none runs at {url}", _address_of_commands()
    if named is None or _place(named) == _place(httpx.URL(url)):
        findings.ok("service", none_runs)
        return
    address = f"{named.scheme}://{named.netloc.decode()}"
    text = f"{none_runs}. FACENET_URL names {address}, and doctor reads FACE_HOST and FACE_PORT, which say {url}."
    if named.scheme == "http" and named.host in LOOPBACK:
        findings.note("service", f"{text} Run: FACE_PORT={named.port or HTTP_PORT} facenet doctor")
    else:
        findings.note("service", f"{text} Run doctor on the machine of that service, with its settings")


def _address_of_commands() -> httpx.URL | None:
    """Return the address in FACENET_URL, which the other commands call. None if it names no service."""
    text = os.environ.get("FACENET_URL")
    try:
        return find_service(text, key="").url if text else None
    except ValueError:  # the other commands say what is wrong with it
        return None


def _place(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, "127.0.0.1" if url.host in LOOPBACK else url.host, url.port


def _url(settings: Settings) -> str:
    host = EVERY_ADDRESS.get(settings.host, f"[{settings.host}]" if ":" in settings.host else settings.host)
    return f"http://{host}:{settings.port}"


def _check_space(findings: Findings, existing: Path, directory: Path) -> None:
    free, database = shutil.disk_usage(existing).free, directory / DATABASE_FILE
    needed = 2 * database.stat().st_size if database.is_file() else 0  # to write it again after deletions
    sizes = f"{free / 2**30:.1f} GiB are free in {existing}"
    if free < LEAST_FREE_BYTES:
        findings.fault("free space", f"{sizes}. Nothing can be stored soon. Free some.")
    elif free < needed:
        text = f"{sizes}, and {needed / 2**30:.1f} GiB are needed to remove the remains of deleted faces. Free some."
        findings.note("free space", text)
    else:
        findings.ok("free space", sizes)


def _is_locked(lock: Path) -> bool:
    """Return whether another process has locked the data directory. No file is made."""
    try:
        with lock.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is none, or this user may not read it: the gallery is looked at next
        return False
    return False
