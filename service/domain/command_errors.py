"""The errors that end a command. Each message is one line for the operator, so it may name files.

    FacenetError
    ├── StartupError                  the service does not start
    │   ├── InvalidSettings
    │   ├── ModelFileError
    │   ├── ProviderUnavailable
    │   ├── DataDirectoryInUse
    │   ├── DataDirectoryUnusable
    │   ├── DatabaseInUse
    │   ├── DatabaseUnusable
    │   ├── SearchServerUnusable
    │   ├── AuditUnusable
    │   ├── KeyFileUnusable
    │   └── PortInUse
    └── ClientError                   a command beside the service cannot continue
        ├── Unreachable               no service answers
        ├── RequestRefused            the service refused the request
        ├── PhotographUnusable        a photograph cannot be read, or the service refused it
        ├── KeyNeeded                 the service wants an access key
        ├── KeyNotWritten             a new key cannot be written to its file
        ├── KeyUnreadable             the file of an access key cannot be read
        ├── FileNotWritten            a file cannot be written, or exists already
        ├── CollectionFileUnusable    the file of a collection is damaged
        ├── BackupUnusable            a backup cannot be written, or is damaged, or does not fit
        ├── ModelOfCollection         another model made the faces of the collection
        ├── ModelChanged              the service has another model than at the beginning
        ├── NoCalibration             the error rates of the model were not measured
        ├── TooManyFaces              there is too little memory to cluster the faces
        └── EmptyFolder               there is nothing to send

The errors of a running service are in `errors.py`.
"""

from pathlib import Path
from typing import Any

from service.domain.errors import FacenetError


class StartupError(FacenetError):
    """The service does not start. The message is one line for the operator."""

    code = "startup_error"


class InvalidSettings(StartupError):
    """A setting is unknown or out of its range."""


class ModelFileError(StartupError):
    """A model file is missing, cut off, of another kind, or has no valid card."""


class ProviderUnavailable(StartupError):
    """This installation does not have the execution provider that the settings ask for."""


class DataDirectoryInUse(StartupError):
    """Another process uses the data directory."""


class DataDirectoryUnusable(StartupError):
    """The data directory cannot be read or written, or a newer version of the service wrote it."""


class DatabaseInUse(StartupError):
    """Another service uses the database, and the two do not go together."""


class DatabaseUnusable(StartupError):
    """The database server cannot be reached, refuses the service, or lacks what it needs."""


class SearchServerUnusable(StartupError):
    """The search server cannot be reached, refuses the service, or holds what this service cannot use."""


class AuditUnusable(StartupError):
    """The audit log, or its secret, cannot be read or written."""


class KeyFileUnusable(StartupError):
    """The file of a key cannot be read or written, is malformed, can be read by others, or holds the wrong key."""


class PortInUse(StartupError):
    """Another process listens on the port."""


class ClientError(FacenetError):
    """A command beside the service cannot continue. The message is one line."""


class Unreachable(ClientError):
    """No service answers at the address."""


class KeyNeeded(ClientError):
    """The service wants an access key, and the command has none."""

    def __init__(self) -> None:
        super().__init__("The service wants an access key. Pass --key-file FILE, or set FACENET_KEY_FILE=FILE.")


class KeyNotWritten(ClientError):
    """A new key cannot be written to its file, or to standard output."""


class KeyUnreadable(ClientError):
    """The file of an access key cannot be read, or holds no key."""


class FileNotWritten(ClientError):
    """A file cannot be written, or exists already."""


class FileNotRead(ClientError):
    """A file that is imported cannot be read to its end."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file} cannot be read to its end: {reason}. What was read before is imported.")


class CollectionFileUnusable(ClientError):
    """The file of a collection is damaged, or of another version. It was not imported."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file} is not a complete file of facenet export: {reason}. Nothing of it was imported.")


class BackupUnusable(ClientError):
    """A backup cannot be written, is damaged, or does not fit this service."""


class PhotographUnusable(ClientError):
    """A photograph cannot be read, or the service refused it."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}")


class ModelOfCollection(ClientError):
    """Another model made the faces of the collection, so nothing can be enrolled in it."""

    def __init__(self, collection: str) -> None:
        super().__init__(
            f"Another model made the faces of the collection {collection}. Choose a collection that does not exist: "
            "make demo COLLECTION=demo2 (facenet demo --collection demo2). Or start the service with the other model."
        )


class ModelChanged(ClientError):
    """The service was started with another model while the command ran."""

    def __init__(self) -> None:
        super().__init__("The service has another model than at the beginning. Start the command again.")


class NoCalibration(ClientError):
    """The error rates of the model were not measured, so no threshold can be chosen."""

    def __init__(self) -> None:
        super().__init__("The model of the service has no calibration. Pass --threshold, a squared L2 distance.")


class TooManyFaces(ClientError):
    """There is too little memory to cluster the faces. The clusterer needs some bytes for each pair."""

    def __init__(self, faces: int, most: int) -> None:
        super().__init__(
            f"There are {faces:,} faces, and the memory of this machine is enough to cluster {most:,}. Sort fewer "
            "photographs at once."
        )


class EmptyFolder(ClientError):
    """There is nothing to send."""

    def __init__(self, folder: Path, expected: str = "FOLDER/PERSON/PHOTOGRAPH.jpg") -> None:
        super().__init__(f"{folder} has no photographs. They are expected as {expected}.")


class RequestRefused(ClientError):
    """The service refused the request.

    problem: the problem document of the answer (RFC 9457).
    """

    def __init__(self, problem: dict[str, Any]) -> None:
        reason = problem.get("detail", "The service refused the request and gave no reason.")
        faults = [f"{fault['where']}: {fault['message']}" for fault in problem.get("errors", ())]
        super().__init__(" ".join([reason, *faults]))
        self.problem = problem

    @property
    def problem_code(self) -> str:
        return str(self.problem.get("code", "unknown"))
