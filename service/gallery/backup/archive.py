"""The file of a backup: a tar archive (POSIX.1-2001) of two files.

manifest.json    what the database holds, its length and its sha256
gallery.sqlite3  the database, as it was at one moment
"""

import hashlib
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import IO, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.domain.command_errors import BackupUnusable
from service.gallery.backup.encrypted_file import HEADER_BYTES, DecryptedFile, is_encrypted
from service.gallery.records.encryption.key_file import OperatorKey
from service.gallery.records.statements.storage import StoredGallery

MANIFEST, DATABASE = "manifest.json", "gallery.sqlite3"
MAX_MANIFEST_BYTES = 2**20
CHUNK_BYTES = 2**20


class Manifest(BaseModel):
    """What a backup holds. It is checked when the backup is read.

    gallery: the id of the gallery. revision: the last migration of its tables.
    models: the ids of the models that made its embeddings.
    encryption_key: the id of the key that the records are encrypted with. None if they are plain.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    created_at: datetime
    gallery: str = Field(pattern=r"^[0-9a-f]{32}$")
    revision: str
    models: tuple[str, ...]
    collections: int
    subjects: int
    faces: int
    encryption_key: str | None = Field(None, pattern=r"^[0-9a-f]{16}$")
    database_bytes: int = Field(ge=0)
    database_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    def summary(self) -> str:
        """Return what the backup holds, for people."""
        models = ", ".join(model[:16] for model in self.models) or "no model"
        return (
            f"{self.collections} collections, {self.subjects} subjects and {self.faces} faces of "
            f"{self.created_at.isoformat(timespec='seconds')}, "
            f"embedded by {models}. The gallery in it is {describe_key(self.encryption_key)}"
        )

    def stored(self) -> StoredGallery:
        """Return what the database must hold."""
        counts = self.collections, self.subjects, self.faces
        return StoredGallery(self.gallery, self.revision, self.models, *counts, self.encryption_key)


def describe_key(key_id: str | None) -> str:
    """Say whether something is encrypted, and with which key. key_id: None if it is not."""
    return "not encrypted" if key_id is None else f"encrypted with the key {key_id}"


class Backup:
    """A backup that is written: its chunks, once.

    database: an open copy. It is closed after the last chunk.
    """

    def __init__(self, database: BufferedReader, stored: StoredGallery) -> None:
        self._database = database
        sha256 = hashlib.file_digest(database, "sha256").hexdigest()
        self._database_bytes = database.tell()
        manifest = Manifest(
            created_at=datetime.now(UTC),
            database_bytes=self._database_bytes,
            database_sha256=sha256,
            **asdict(stored),
        )
        self._manifest = manifest.model_dump_json(indent=2).encode()

    @property
    def size_bytes(self) -> int:
        """The length of all chunks together."""
        sizes = {MANIFEST: len(self._manifest), DATABASE: self._database_bytes}
        return sum(len(_header(name, size)) + size + len(_padding(size)) for name, size in sizes.items()) + len(_END)

    def chunks(self) -> Iterator[bytes]:
        """Read the archive."""
        with self._database as database:
            yield _header(MANIFEST, len(self._manifest))
            yield self._manifest + _padding(len(self._manifest))
            yield _header(DATABASE, self._database_bytes)
            database.seek(0)
            while chunk := database.read(CHUNK_BYTES):
                yield chunk
            yield _padding(self._database_bytes) + _END


class BackupReader:
    """A backup that is read. Nothing in it is trusted before it is checked. Raises TarError, OSError or ValueError.

    archive: reads `file` from its start to its end.
    """

    def __init__(self, archive: tarfile.TarFile, file: IO[bytes]) -> None:
        self._archive = archive
        self._file = file
        self.manifest = self._read_manifest()

    def copy_database(self, target: BinaryIO) -> None:
        """Copy the database, and compare its sha256 with that of the manifest. Raises BackupUnusable or OSError."""
        sha256 = hashlib.sha256()
        try:
            source = self._open(DATABASE, self.manifest.database_bytes)
            while chunk := source.read(CHUNK_BYTES):
                sha256.update(chunk)
                target.write(chunk)
            while self._file.read(CHUNK_BYTES):
                pass  # the end of an encrypted backup is checked when it is read
        except (tarfile.TarError, ValueError):
            raise BackupUnusable("The backup is cut off. Use another one.") from None
        if sha256.hexdigest() != self.manifest.database_sha256:
            raise BackupUnusable("The backup is damaged: its sha256 is not that of its manifest. Use another one.")

    def _read_manifest(self) -> Manifest:
        return Manifest.model_validate_json(self._open(MANIFEST, MAX_MANIFEST_BYTES).read())

    def _open(self, name: str, max_bytes: int) -> IO[bytes]:
        """Open the next file of the archive. Raises ValueError if it is another one, or too large."""
        member = self._archive.next()
        if member is None or member.name != name or not member.isreg() or member.size > max_bytes:
            raise ValueError(name)
        source = self._archive.extractfile(member)
        if source is None:
            raise ValueError(name)
        return source


@contextmanager
def open_backup(file: Path, key: OperatorKey | None = None) -> Iterator[BackupReader]:
    """Open a backup and read its manifest. key: decrypts the file. None if the file itself is not encrypted.

    Raises BackupUnusable or KeyFileUnusable.
    """
    with ExitStack() as resources:
        try:
            source = _decrypted(resources.enter_context(file.open("rb")), key)
            backup = BackupReader(resources.enter_context(tarfile.open(fileobj=source, mode="r|")), source)
        except OSError as error:
            raise BackupUnusable(f"{file} cannot be read: {error.strerror}.") from None
        except (tarfile.TarError, ValueError):
            raise BackupUnusable(
                f"{file} is no backup of this version of the service, or it is cut off. Make one: facenet backup FILE."
            ) from None
        yield backup


def _decrypted(file: BufferedReader, key: OperatorKey | None) -> BufferedReader:
    if key is not None:
        return BufferedReader(DecryptedFile(file, key))
    if is_encrypted(file.peek(HEADER_BYTES)):
        raise BackupUnusable(
            "The backup is encrypted. Name the file of its key: facenet restore --decrypt-with KEYFILE."
        )
    return file


_END = bytes(2 * tarfile.BLOCKSIZE)


def _header(name: str, size_bytes: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size_bytes, 0o600
    return info.tobuf(tarfile.PAX_FORMAT)


def _padding(size_bytes: int) -> bytes:
    return bytes(-size_bytes % tarfile.BLOCKSIZE)
