"""Checks of the data directory, of the gallery in it, and of the service that uses it."""

import fcntl
import os
import shutil
from pathlib import Path

from service.access.opening import is_loopback
from service.access.secret_file import read_admin_key
from service.commands.connection import Connection
from service.commands.installation.finding import Findings
from service.domain.command_errors import KeyFileUnusable, RequestRefused, Unreachable
from service.gallery.opening.inspection import inspect_directory, inspect_server
from service.gallery.records.encryption.key_file import read_key_file
from service.gallery.records.sqlite.data_directory import DATABASE_FILE, LOCK_FILE
from service.gallery.search.milvus.server import require_server
from service.settings.environment import Settings
from service.settings.in_force import milvus_address

LEAST_FREE_BYTES = 100 * 2**20
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # nothing listens here
"""An address that stands for all addresses, and the one to call."""


def check_keys(findings: Findings, settings: Settings) -> None:
    """Check the files of the keys, and that other machines need a key. No key is printed."""
    if settings.admin_key_file is not None:
        with findings.faults_of("access key"):
            read_admin_key(settings.admin_key_file)
            findings.ok("access key", f"{settings.admin_key_file} holds the key of the operator")
    elif not is_loopback(settings.host) and settings.insecure != "yes":
        text = f"FACE_HOST={settings.host} lets other machines call the service, and FACE_ADMIN_KEY_FILE is not set."
        advice = "Without keys in its gallery, the service does not start. facenet keys generate FILE makes one."
        findings.note("access key", f"{text} {advice}")
    else:
        findings.ok("access key", "none is set. Programs on this machine need none until a key is made")


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
    """Ask the running service whether it is ready. If none runs, look at the gallery."""
    if _check_service(findings, settings):
        return
    if _is_locked(settings.data_dir / LOCK_FILE):
        text = f"another process uses {settings.data_dir}, and no service answers at {_url(settings)}."
        findings.fault("gallery", f"{text} Set FACE_HOST and FACE_PORT as that service has them, or stop it.")
        return
    with findings.faults_of("gallery"):
        findings.ok("gallery", _inspect(settings))


def _inspect(settings: Settings) -> str:
    """Return what is known of the gallery without a service. Raises StartupError."""
    key_file, url = settings.gallery.encryption_key_file, settings.gallery.url
    key_id = None if key_file is None else read_key_file(key_file).id
    if url is not None:
        return inspect_server(url.get_secret_value())
    if key_file is not None and key_file.resolve().is_relative_to(settings.data_dir.resolve()):
        raise KeyFileUnusable(f"The key file {key_file} is in the data directory. Move it to another place.")
    return inspect_directory(settings.data_dir, key_id) or "there is none yet. The first start makes it"


def _check_service(findings: Findings, settings: Settings) -> bool:
    """Return whether something answers at the address of the service."""
    if settings.port == 0:
        findings.note("service", "FACE_PORT=0 chooses a free port, so it is not known where a service would run")
        return False
    url = _url(settings)
    try:
        with Connection(url, key="") as service:  # it needs none, and another program at this address must not get one
            answer = service.call_once("GET", "/readyz")
    except Unreachable:
        findings.ok("service", f"none runs at {url}")
        return False
    except RequestRefused as error:
        what = str(error) if error.problem else "Another program answers there. Set FACE_PORT to a free port."
        findings.fault("service", f"{url} is not ready: {what}")
        return True
    if answer.get("status") == "ready":
        findings.ok("service", f"one runs at {url}, and is ready. It has checked its gallery")
    else:
        findings.fault("service", f"another program answers at {url}. Set FACE_PORT to a free port.")
    return True


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
