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
        │   └── ServiceBusy           it was busy for too long
        ├── PhotographUnusable        a photograph cannot be read, or the service refused it
        ├── KeyNeeded                 the service wants an access key
        ├── KeyNotWritten             a new key cannot be written to its file
        ├── KeyUnreadable             the file of an access key cannot be read
        ├── FileNotWritten            a file cannot be written, or exists already
        ├── FileNotRead               a file that is imported cannot be read to its end
        ├── NoFaceLines               a file that is imported has no lines of faces
        ├── CollectionFileUnusable    the file of a collection is damaged
        ├── BackupUnusable            a backup cannot be written, or is damaged, or does not fit
        ├── ModelOfCollection         another model made the faces of the collection
        ├── ModelChanged              the service has another model than at the beginning
        ├── NoCalibration             the error rates of the model were not measured
        ├── TooManyFaces              there is too little memory to cluster the faces
        ├── EmptyFolder               there is nothing to send
        └── WithoutPeople             the photographs of a folder are in no folder of a person

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


class NoFaceLines(ClientError):
    """A file that is imported has no lines of faces."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"{file} is no file of embeddings: its first lines are not JSON objects. A file of facenet export is "
            'expected, or a face on each line: {"subject": "ada", "model": "ID OF GET /model", "embedding": [0.1, '
            "...]}. Nothing was sent. Photographs are enrolled with facenet enrol FOLDER."
        )


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


class NoClusteringThreshold(ClientError):
    """The model of the service has no threshold for clusters, and the command got none."""

    def __init__(self) -> None:
        super().__init__(
            "The model of the service has no threshold for clusters. Pass one: --threshold, a squared L2 distance such "
            "as that of GET /model."
        )


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


class WithoutPeople(ClientError):
    """A folder has photographs, and no folder of a person. It may be the folder of a person itself."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} has photographs, but no folder of a person. They are expected as FOLDER/PERSON/PHOTOGRAPH.jpg. "
            f"Did you mean its parent, {folder.resolve().parent}?"
        )


class RequestRefused(ClientError):
    """The service refused the request. The message ends with the code, and the id in the log of the service.

    problem: the problem document of the answer (RFC 9457).
    request_id: None if the answer has none.
    """

    def __init__(self, problem: dict[str, Any], request_id: str | None = None) -> None:
        self.problem = problem
        self.request_id = request_id
        request = f", request {request_id}" if request_id else ""
        super().__init__(f"{self.reason} (code {self.problem_code}{request})")

    @property
    def problem_code(self) -> str:
        return str(self.problem.get("code", "unknown"))

    @property
    def reason(self) -> str:
        """What is wrong, without the code: for a report that has the code in a field of its own."""
        detail: str = self.problem.get("detail", "The service refused the request and gave no reason.")
        faults = (f"{fault['where']}: {fault['message']}" for fault in self.problem.get("errors", ()))
        return " ".join([detail, *(fault for fault in faults if fault.rstrip(".") not in detail)])


class SubjectMissing(ClientError):
    """The service does not find a subject that is to be deleted."""

    def __init__(self, subject: str, collection: str) -> None:
        super().__init__(
            f"The collection {collection} has no subject {subject}: it was deleted already, or has another id. Or the "
            f"access key does not include the collection. facenet audit show --collection {collection} --subject "
            f"{subject} says whether it was deleted."
        )


class ServiceBusy(RequestRefused):
    """The service was busy for so long that the command gave up. waited_s: how long."""

    def __init__(self, problem: dict[str, Any], request_id: str | None, waited_s: float) -> None:
        detail = (
            f"{problem['detail']} The service has refused every request for {waited_s:g} s. Start the command again "
            "later. GET /readyz says whether the service can work."
        )
        super().__init__({**problem, "detail": detail}, request_id)
