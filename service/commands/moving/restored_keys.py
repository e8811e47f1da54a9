"""What is to be done with the access keys of a restored gallery. A backup has no `key_secret`."""

from collections.abc import Iterator

from service.access.secret_file import KeySecret
from service.access.stored_keys import count_keys
from service.gallery.opening.inspection import keys_in_directory
from service.settings.environment import Settings
from service.settings.in_force import access_options


def restored_keys(settings: Settings) -> Iterator[str]:
    """Yield lines that say what to do, if the restored gallery holds keys that are not valid.

    Raises DataDirectoryUnusable if there is a secret and it is damaged.
    """
    secret = access_options(settings).secret_in(settings.data_dir)
    keys = count_keys(keys_in_directory(settings.data_dir), KeySecret(secret))
    if not keys.unusable:
        return
    yield f"Access keys in the backup: {keys.unusable}. They are not valid, because {keys.why_unusable(secret)}"
    yield f"Before the start: copy key_secret from the old data directory to {secret}."
    if settings.admin_key_file is None:
        yield "If it is lost: facenet keys generate FILE, set FACE_ADMIN_KEY_FILE=FILE, and make new keys."
        yield "Otherwise every request is refused with 401."
    else:
        yield "If it is lost: make new keys with the key of FACE_ADMIN_KEY_FILE."
