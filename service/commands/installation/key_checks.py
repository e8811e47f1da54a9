"""Checks of the access keys: that of the operator, and those in the gallery."""

from pathlib import Path

from service.access.opening import is_loopback
from service.access.secret_file import KeySecret, read_admin_key
from service.access.stored_keys import KeyCounts, count_keys
from service.commands.installation.finding import Findings
from service.domain.command_errors import DatabaseUnusable, InvalidSettings
from service.domain.errors import StorageUnavailable
from service.gallery.opening.inspection import keys_in_directory, keys_on_server
from service.settings.environment import Settings
from service.settings.in_force import access_options

ABOUT = "access key"
REFUSED = "Every request is refused with 401."
NEW_KEYS = "Set FACE_ADMIN_KEY_FILE to a file of facenet keys generate, and make new keys with it."


def check_keys(findings: Findings, settings: Settings) -> None:
    """Check the key of the operator, the keys in the gallery, and that other machines need one. No key is printed."""
    with findings.faults_of(ABOUT):
        if settings.admin_key_file is not None:
            read_admin_key(settings.admin_key_file)
            findings.ok(ABOUT, f"{settings.admin_key_file} holds the key of the operator")
        keys = _count(settings)
        if keys is None:
            text = "it is not known which keys the gallery holds, because its database cannot be read here"
            findings.note(ABOUT, text)
        elif settings.admin_key_file is not None:
            _say_other_keys(findings, settings, keys)
        elif keys.is_open:
            _say_no_keys(findings, settings)
        else:
            _say_only_keys(findings, settings, keys)


def _count(settings: Settings) -> KeyCounts | None:
    """Return None if it cannot be known. Why the database cannot be read is said where the gallery is checked."""
    url = settings.gallery.url
    try:
        rows = keys_in_directory(settings.data_dir) if url is None else keys_on_server(url.get_secret_value())
        return count_keys(rows, KeySecret(_secret(settings)))
    except (StorageUnavailable, DatabaseUnusable, InvalidSettings, OSError):
        return None


def _say_only_keys(findings: Findings, settings: Settings, keys: KeyCounts) -> None:
    """Say whether anybody can call the service with the keys of its gallery alone."""
    if keys.valid:
        findings.ok(ABOUT, f"valid keys in the gallery: {keys.valid}. A request needs one")
        _note_unusable(findings, keys)
    elif keys.unusable:
        cure = f"{_cure(settings)} Or, if it is lost: {NEW_KEYS}"
        findings.fault(ABOUT, f"{_unusable(settings, keys)} {REFUSED} {cure}")
    else:
        findings.fault(ABOUT, f"the service has had keys, and none of them is valid any more. {REFUSED} {NEW_KEYS}")


def _say_other_keys(findings: Findings, settings: Settings, keys: KeyCounts) -> None:
    """Say how many keys there are beside that of the operator."""
    if keys.valid:
        findings.ok(ABOUT, f"valid keys in the gallery: {keys.valid}")
        _note_unusable(findings, keys)
    elif keys.unusable and settings.gallery.url is not None:
        findings.fault(ABOUT, f"{_unusable(settings, keys)} The service does not start. {_cure(settings)}")
    elif keys.unusable:
        findings.note(ABOUT, f"{_unusable(settings, keys)} {_cure(settings)} Or make new keys.")


def _note_unusable(findings: Findings, keys: KeyCounts) -> None:
    if keys.unusable:
        text = f"keys in the gallery that were made with another secret, and are not valid: {keys.unusable}."
        findings.note(ABOUT, f"{text} facenet keys list --ended shows them. Revoke them, and make new ones.")


def _unusable(settings: Settings, keys: KeyCounts) -> str:
    return f"keys in the gallery: {keys.unusable}, and none of them is valid. {keys.why_unusable(_secret(settings))}"


def _cure(settings: Settings) -> str:
    if settings.gallery.url is not None:
        return "Set FACE_KEY_SECRET_FILE to a copy of the file that the other replicas use."
    return f"Copy key_secret from the old data directory to {_secret(settings)}."


def _secret(settings: Settings) -> Path:
    return access_options(settings).secret_in(settings.data_dir)


def _say_no_keys(findings: Findings, settings: Settings) -> None:
    if not is_loopback(settings.host) and settings.insecure != "yes":
        text = f"FACE_HOST={settings.host} lets other machines call the service, and FACE_ADMIN_KEY_FILE is not set."
        advice = "Without keys in its gallery, the service does not start. facenet keys generate FILE makes one."
        findings.note(ABOUT, f"{text} {advice}")
    else:
        place = f"of {settings.data_dir}" if settings.gallery.url is None else "in PostgreSQL"
        nowhere = f"none is set, and the gallery {place} holds none."
        findings.ok(ABOUT, f"{nowhere} Programs on this machine need none until a key is made")
