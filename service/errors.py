"""Everything that this service refuses, by name. Free of HTTP: `api/problems.py` turns names into status codes.

    FaceError
    ├── PhotographError               what came cannot be used as a photograph
    │   ├── UnreadableImage           not an image, cut off, or of a format that is not taken
    │   ├── ImageTooLarge             more pixels than the limit, told from the header
    │   ├── NoFace                    one face was needed and none is there
    │   └── SeveralFaces              one face was needed and the caller refuses to choose
    ├── EmbeddingError                what came cannot be compared
    │   ├── InvalidEmbedding          wrong length, not finite, not of unit length
    │   └── ModelMismatch             made by another model that is not compatible
    ├── InvalidOption                 an option's value does not fit the rest of the request
    ├── GalleryError
    │   ├── CollectionNotFound
    │   ├── SubjectNotFound
    │   ├── FaceNotFound
    │   ├── SubjectWithoutFaces       a subject was to be compared and has no face enrolled
    │   ├── SubjectExists             the id that was asked for is taken
    │   ├── KnownElsewhere            the photograph is enrolled already, for somebody else
    │   └── StorageUnavailable        nothing was stored: disk full, read-only, database gone
    ├── Unavailable                   try again later
    │   ├── Overloaded                more images in flight than the service takes
    │   ├── TimedOut                  the request took longer than the limit
    │   └── Ending                    the service was told to end
    ├── StartupError                  the service does not start; one line that says what to do
    │   ├── InvalidSettings
    │   ├── ModelFileError
    │   ├── ProviderUnavailable
    │   ├── DataDirectoryInUse
    │   ├── DataDirectoryUnusable
    │   └── PortInUse
    └── ClientError                   a command that speaks to a running service cannot go on
        ├── Unreachable               no service answers
        ├── Refused                   the service says no
        └── EmptyFolder               there is nothing to send

Each message says what was expected, what came and what to do. None holds a path of the server, a vector, or a name
that a client gave; messages of `StartupError` are read by the operator alone and do name files.
"""

from typing import Any, ClassVar


class FaceError(Exception):
    """The root: everything that this project raises on purpose.

    where: which of a request's images it is about, such as `image_a` or `images[3]`; None where it is about none.
    """

    code: ClassVar[str] = "internal_error"
    where: str | None = None


class PhotographError(FaceError):
    """What came cannot be used as a photograph."""


class UnreadableImage(PhotographError):
    """Not an image, cut off, or of a format that is not taken."""

    code = "unreadable_image"


class ImageTooLarge(PhotographError):
    """More pixels than the limit; known from the header, before a pixel is decoded."""

    code = "image_too_large"


class NoFace(PhotographError):
    """One face was needed and none is there."""

    code = "no_face"

    def __init__(self) -> None:
        super().__init__("No face was found. Send a photograph in which a face is at least 20 pixels wide.")


class SeveralFaces(PhotographError):
    """One face was needed and the caller refuses to choose among several."""

    code = "several_faces"

    def __init__(self, found: int) -> None:
        super().__init__(
            f"{found} faces were found where one was expected. Crop the photograph, or pass on_several=main "
            "to take the main face."
        )


class EmbeddingError(FaceError):
    """What came cannot be compared."""


class InvalidEmbedding(EmbeddingError):
    """Wrong length, not finite, or not of unit length."""

    code = "invalid_embedding"


class ModelMismatch(EmbeddingError):
    """Vectors of two models are never compared, unless the loaded model's card calls the other one compatible."""

    code = "model_mismatch"


class InvalidOption(FaceError):
    """An option's value does not fit the rest of the request."""

    code = "invalid_option"


class GalleryError(FaceError):
    """What was asked of the gallery cannot be done."""


class CollectionNotFound(GalleryError):
    """No collection has this id."""

    code = "collection_not_found"

    def __init__(self) -> None:
        super().__init__("No collection has this id. PUT /collections/{id} creates one; GET /collections lists them.")


class SubjectNotFound(GalleryError):
    """The collection has no subject with this id."""

    code = "subject_not_found"

    def __init__(self) -> None:
        super().__init__(
            "The collection has no subject with this id. PUT /collections/{collection}/subjects/{id} creates one."
        )


class FaceNotFound(GalleryError):
    """The collection has no face with this id."""

    code = "face_not_found"

    def __init__(self) -> None:
        super().__init__("The collection has no face with this id. GET the subject's faces to list them.")


class SubjectWithoutFaces(GalleryError):
    """The subject was to be compared and has no face enrolled."""

    code = "subject_without_faces"

    def __init__(self) -> None:
        super().__init__("The subject has no faces to compare with. POST a photograph to the subject's faces first.")


class SubjectExists(GalleryError):
    """The id that was asked for is taken."""

    code = "subject_exists"

    def __init__(self) -> None:
        super().__init__("A subject with this id is there already. PUT replaces it; POST without an id makes a new id.")


class KnownElsewhere(GalleryError):
    """The photograph is enrolled already, for another subject of the collection."""

    code = "known_elsewhere"

    def __init__(self) -> None:
        super().__init__(
            "This photograph is enrolled already, for another subject. Delete that face first if it was a mistake."
        )


class StorageUnavailable(GalleryError):
    """Nothing was stored: the disk is full or read-only, or the database is gone."""

    code = "storage_unavailable"

    def __init__(self) -> None:
        super().__init__("The gallery cannot be written at the moment and nothing was stored. Try again later.")


class Unavailable(FaceError):
    """The request is fine; the service cannot take it now."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(Unavailable):
    """More images are in flight than the service takes."""

    code = "overloaded"


class TimedOut(Unavailable):
    """The request took longer than the limit."""

    code = "timed_out"


class Ending(Unavailable):
    """The service was told to end, and is not ready for more."""

    code = "ending"

    def __init__(self) -> None:
        super().__init__("The service is about to end. Ask another replica, or try again.", retry_after_s=5)


class StartupError(FaceError):
    """The service does not start. The message is one line for the operator."""

    code = "startup_error"


class InvalidSettings(StartupError):
    """A setting is unknown or out of its range."""


class ModelFileError(StartupError):
    """A model file is missing, cut, of another kind, or without a valid card."""


class ProviderUnavailable(StartupError):
    """An execution provider was asked for that this installation does not have."""


class DataDirectoryInUse(StartupError):
    """Another process owns the data directory."""


class DataDirectoryUnusable(StartupError):
    """The data directory cannot be read and written, or a newer version of the service wrote it."""


class PortInUse(StartupError):
    """Another process listens on the port."""


class ClientError(FaceError):
    """A command that speaks to a running service cannot go on. The message is one line."""


class Unreachable(ClientError):
    """No service answers at the address."""


class EmptyFolder(ClientError):
    """There is nothing to send."""


class Refused(ClientError):
    """The service says no. content: its problem document (RFC 9457)."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__(content.get("detail", "The service refused without saying why."))
        self.content = content

    @property
    def reason(self) -> str:
        """The stable code that the service gave."""
        return str(self.content.get("code", "unknown"))
