"""Open the keyring. Without a key, only programs on this machine may call the service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import structlog

from service.access.keyring import Keyring
from service.access.secret_file import SECRET_FILE, KeySecret, read_admin_key
from service.domain.command_errors import InvalidSettings
from service.domain.errors import StorageUnavailable
from service.gallery.records.database import Database

LOG = structlog.stdlib.get_logger("service.access")
STORE_USES_S = 10.0
"""How often the last use of the keys is stored. After a kill, the uses of this time are not known."""


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """Who may call the service.

    host: the address that the service listens on.
    admin_key_file: a file with the key of the operator. None if there is none.
    insecure: whether everybody may call the service without a key, from other machines too.
    secret_file: the secret that keys are hashed with. None: it is in the data directory.
    """

    host: str
    admin_key_file: Path | None
    insecure: bool
    secret_file: Path | None = None

    def secret_in(self, data_dir: Path) -> Path:
        """Return the file of the secret that keys are hashed with."""
        return self.secret_file or data_dir / SECRET_FILE


@asynccontextmanager
async def open_keyring(database: Database, data_dir: Path, options: AccessOptions) -> AsyncIterator[Keyring]:
    """Open the keys. Raises InvalidSettings if everybody could call the service, and DataDirectoryUnusable."""
    file = options.admin_key_file
    admin_key = read_admin_key(file) if file else None
    keyring = Keyring(database, KeySecret(options.secret_in(data_dir)), admin_key)
    _say_who_may_call(keyring, options)
    storing = asyncio.create_task(_store_uses(keyring))
    try:
        yield keyring
    finally:
        storing.cancel()
        with suppress(StorageUnavailable):
            await keyring.store_uses()


def _cure(keyring: Keyring) -> str:
    if keyring.unusable_keys:
        return "copy key_secret from the old data directory and start again, or set FACE_ADMIN_KEY_FILE"
    return "set FACE_ADMIN_KEY_FILE"


def _say_who_may_call(keyring: Keyring, options: AccessOptions) -> None:
    """Log who may call the service. Raises InvalidSettings."""
    if keyring.has_foreign_secret:
        raise InvalidSettings(
            "The access keys in the database were made with another secret. Set FACE_KEY_SECRET_FILE to a copy of the "
            "file that the other replicas use."
        )
    if keyring.unusable_keys:
        LOG.warning("keys_unusable", keys=keyring.unusable_keys)
    if not keyring.can_be_called:
        LOG.warning("no_valid_access_key", what_to_do=_cure(keyring))
    if not keyring.is_open:
        return
    if is_loopback(options.host):
        LOG.warning("no_access_keys", who="every program on this machine may call the service")
    elif options.insecure:
        LOG.warning("no_access_keys", who="everybody who reaches the service may call it (FACE_INSECURE)")
    else:
        raise InvalidSettings(
            f"The service has no access key, and FACE_HOST={options.host} lets other machines call it. They could read "
            "and delete every face. `facenet keys generate FILE` makes a key: set FACE_ADMIN_KEY_FILE=FILE. Or set "
            "FACE_HOST=127.0.0.1 (make run HOST=127.0.0.1). If something before the service checks who calls, set "
            "FACE_INSECURE=yes."
        )


def is_loopback(host: str) -> bool:
    """Return whether only programs on this machine can reach the address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


async def _store_uses(keyring: Keyring) -> None:
    while True:
        await asyncio.sleep(STORE_USES_S)
        with suppress(StorageUnavailable):  # it is logged where a change of a client fails
            await keyring.store_uses()
