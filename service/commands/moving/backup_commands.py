"""`facenet backup`, `restore`, `encryption-key` and `rotate-encryption-key`."""

from pathlib import Path
from typing import Annotated

import typer

from service.commands.options import LOCAL, KeyFile, Url, connect

app = typer.Typer()


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="the file to write; it must not exist")],
    url: Url = LOCAL,
    key_file: KeyFile = None,
    encrypt_with: Annotated[
        Path | None, typer.Option(help="encrypts the backup; a file of facenet encryption-key")
    ] = None,
) -> None:
    """Save the whole gallery of a running service in one file, as it is at one moment.

    The file holds names and embeddings. They are encrypted if the gallery is, or with --encrypt-with.
    """
    from service.commands.moving.backup import save_backup  # noqa: PLC0415  # the other commands need no database
    from service.gallery.backup.archive import describe_key  # noqa: PLC0415
    from service.gallery.records.encryption.key_file import read_key_file  # noqa: PLC0415

    encryption_key = read_key_file(encrypt_with) if encrypt_with else None
    with connect(url, key_file) as service:
        manifest = save_backup(service, file, encryption_key)
    file_key = encryption_key.id if encryption_key else None
    print(f"{file} holds {manifest.summary()}. The file itself is {describe_key(file_key)}.")  # noqa: T201  # its output


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="a file of facenet backup")],
    decrypt_with: Annotated[Path | None, typer.Option(help="the key file of --encrypt-with")] = None,
) -> None:
    """Make the data directory FACE_DATA_DIR from a backup. It must be empty, and no service may use it.

    FACE_MODELS__EMBEDDER must be a model that can be compared with the embeddings of the backup.
    FACE_GALLERY__ENCRYPTION_KEY_FILE must be the key of the gallery, if it was encrypted.
    """
    from service.commands.moving.restored_keys import restored_keys  # noqa: PLC0415  # the other commands need no keys
    from service.gallery.backup.archive import describe_key  # noqa: PLC0415
    from service.gallery.backup.restore import BackupKeys  # noqa: PLC0415
    from service.gallery.backup.restore import restore as restore_backup  # noqa: PLC0415
    from service.gallery.records.encryption.key_file import read_key_file  # noqa: PLC0415
    from service.settings.environment import load_settings  # noqa: PLC0415
    from service.settings.pipeline import usable_models  # noqa: PLC0415  # the other commands need no models

    settings = load_settings()
    gallery_key = settings.gallery.encryption_key_file
    keys = BackupKeys(
        gallery=read_key_file(gallery_key).id if gallery_key else None,
        file=read_key_file(decrypt_with) if decrypt_with else None,
    )
    manifest = restore_backup(file, settings.data_dir, usable_models(settings), keys)
    file_key = keys.file.id if keys.file else None
    holds = f"{settings.data_dir} holds {manifest.summary()}."
    print(f"{holds} The file itself is {describe_key(file_key)}.")  # noqa: T201  # its output
    for line in restored_keys(settings):
        print(line)  # noqa: T201  # its output


@app.command()
def encryption_key(file: Annotated[Path, typer.Argument(help="the file to write; it must not exist")]) -> None:
    """Make a random key in a new file that only you can read. For FACE_GALLERY__ENCRYPTION_KEY_FILE or --encrypt-with.

    Keep a copy in another place. Without the key, nobody can read what it encrypted.
    """
    from service.access.secret_file import write_encryption_key  # noqa: PLC0415  # the other commands do not need it

    key = write_encryption_key(file)
    print(f"{file} holds the key {key.id}. Copy it to another place now: without it, nobody can read what it encrypts.")  # noqa: T201  # its output


@app.command()
def rotate_encryption_key(
    old: Annotated[Path, typer.Argument(help="the key file that the gallery has now")],
    new: Annotated[Path, typer.Argument(help="the key file that it gets")],
) -> None:
    """Replace the key of the encrypted gallery in FACE_DATA_DIR. No service may use it.

    Only the keys of the collections are wrapped again, so this does not depend on the number of faces.
    """
    from service.gallery.opening import rotate_encryption_key as rotate  # noqa: PLC0415  # it needs the database
    from service.settings.environment import load_settings  # noqa: PLC0415

    data_dir = load_settings().data_dir
    count = rotate(data_dir, old, new)
    print(f"{count} data keys in {data_dir} are wrapped with the new key. Start the service with {new}.")  # noqa: T201  # its output
