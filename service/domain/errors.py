"""All errors that this service raises on purpose. They do not depend on HTTP: `api/problems.py` gives each a status.

    FacenetError
    ├── PhotographError               a photograph cannot be used
    │   ├── UnreadableImage           not an image, cut off, or in an unknown format
    │   ├── ImageTooLarge             more pixels than the limit, or too long a side
    │   ├── ImageTooComplex           a file that takes too long or too much memory to decode
    │   ├── NoFace                    one face is needed and none was found
    │   ├── SeveralFaces              one face is needed and several were found
    │   └── LowQuality                the face is too bad to be enrolled
    ├── EmbeddingError                an embedding cannot be compared
    │   ├── InvalidEmbedding          wrong dimension, not finite, or not of unit length
    │   └── ModelMismatch             made by another model that is not compatible
    ├── InvalidOption                 the value of an option does not fit the rest of the request
    ├── RateNotMeasured               an error rate is asked for that was not measured for the model
    ├── GalleryError
    │   ├── CollectionNotFound
    │   ├── SubjectNotFound
    │   ├── FaceNotFound
    │   ├── SubjectWithoutFaces       a subject has no enrolled face to compare with
    │   ├── SubjectExists             the requested id is taken
    │   ├── TooFewPeople              a collection has too few subjects with a face for a calibration
    │   ├── CalibrationNotFound       a collection has no calibration of its own
    │   ├── EnrolledElsewhere         the photograph is enrolled for another subject
    │   └── StorageUnavailable        the gallery cannot be read or written
    │       └── StorageLost           its files were taken away, replaced or damaged
    ├── Unavailable                   the client should try again later
    │   ├── Overloaded                more images in flight than the limit, or too little memory
    │   ├── TimedOut                  the request took longer than the limit
    │   ├── Abandoned                 nobody waits for the answer any more
    │   ├── Hanging                   a model or a decoder does not return
    │   └── ShuttingDown              the service was told to stop
    ├── AccessError                   see `access_errors.py`
    └── StartupError, ClientError     see `command_errors.py`

Every message says what was expected, what came, and what to do next. No message holds a path of the server, a vector,
or a name that a client gave.
"""

from typing import ClassVar

from service.domain.quality import FaceQuality


class FacenetError(Exception):
    """The root of all errors that this project raises on purpose.

    code: the stable code that clients receive.
    input_name: the input of the request that the error is about, such as `image_a` or `images[3]`. None if the error is
    about the whole request.
    """

    code: ClassVar[str] = "internal_error"
    input_name: str | None = None


class PhotographError(FacenetError):
    """A photograph cannot be used."""


class UnreadableImage(PhotographError):
    """The file is not an image, is cut off, or has a format that is not accepted."""

    code = "unreadable_image"


class ImageTooLarge(PhotographError):
    """The photograph has more pixels than the limit, or too long a side. No pixel was decoded."""

    code = "image_too_large"


class ImageTooComplex(PhotographError):
    """The file is built or coded in a way that takes too long or too much memory to decode. No pixel was decoded."""

    code = "image_too_complex"


class NoFace(PhotographError):
    """One face is needed and none was found. min_face_px: the width of the smallest face that is looked for."""

    code = "no_face"

    def __init__(self, min_face_px: int) -> None:
        super().__init__(
            f"No face was found. Send a photograph of a face from the front that is at least {min_face_px} pixels wide."
        )


class SeveralFaces(PhotographError):
    """One face is needed, several were found, and the caller did not ask for the main face."""

    code = "several_faces"

    def __init__(self, found: int) -> None:
        super().__init__(
            f"{found} faces were found where one was expected. Crop the photograph, or pass on_several=main "
            "to take the main face."
        )


class LowQuality(PhotographError):
    """The quality of a face is below the minimum for an enrolment."""

    code = "low_quality"

    def __init__(self, quality: FaceQuality, minimum: float) -> None:
        wrong = ", ".join(quality.explanations())
        super().__init__(
            f"The quality of the face is {quality.score or 0.0:.4f}, and at least {minimum:g} is needed. "
            f"{f'What is wrong: {wrong}. ' if wrong else ''}Send a better photograph, or pass a lower min_quality."
        )


class EmbeddingError(FacenetError):
    """An embedding cannot be compared."""


class InvalidEmbedding(EmbeddingError):
    """An embedding has the wrong dimension, is not finite, or is not of unit length."""

    code = "invalid_embedding"


class ModelMismatch(EmbeddingError):
    """Two models made the embeddings, and the card of the loaded model does not name the other as compatible."""

    code = "model_mismatch"


class InvalidOption(FacenetError):
    """The value of an option does not fit the rest of the request."""

    code = "invalid_option"


class RateNotMeasured(FacenetError):
    """The caller asks for an error rate, and the calibration of the model does not reach it, or there is none."""

    code = "rate_not_measured"


class GalleryError(FacenetError):
    """The gallery cannot do what was asked."""


class CollectionNotFound(GalleryError):
    """No collection has this id."""

    code = "collection_not_found"

    def __init__(self) -> None:
        super().__init__(
            "No collection has this id, or the access key does not include it. PUT /collections/{id} creates one; GET "
            "/collections lists them."
        )


class SubjectNotFound(GalleryError):
    """The collection has no subject with this id. field: the field of the body that has the id. None for the path."""

    code = "subject_not_found"

    def __init__(self, field: str | None = None) -> None:
        which = f"the id in `{field}`" if field else "this id"
        super().__init__(
            f"The collection has no subject with {which}. PUT /collections/{{collection}}/subjects/{{id}} creates one; "
            "GET /collections/{collection}/subjects lists them."
        )


class FaceNotFound(GalleryError):
    """The collection has no face with this id."""

    code = "face_not_found"

    def __init__(self) -> None:
        super().__init__("The collection has no face with this id. GET the subject's faces to list them.")


class SubjectWithoutFaces(GalleryError):
    """The subject has no enrolled face to compare with."""

    code = "subject_without_faces"

    def __init__(self) -> None:
        super().__init__("The subject has no faces to compare with. POST a photograph to the subject's faces first.")


class SubjectExists(GalleryError):
    """The requested id is taken."""

    code = "subject_exists"

    def __init__(self) -> None:
        super().__init__("A subject with this id exists already. PUT replaces it. POST without an id makes a new id.")


class TooFewPeople(GalleryError):
    """There are too few people to measure error rates."""

    code = "too_few_people"

    def __init__(self, message: str = "") -> None:
        super().__init__(
            message
            or "The collection has too few subjects with a face for error rates. At least 20 are usually needed, and "
            "they must be different people. Enrol more, or use the calibration of the model."
        )


class CalibrationNotFound(GalleryError):
    """The collection has no calibration of its own."""

    code = "calibration_not_found"

    def __init__(self) -> None:
        super().__init__(
            "The collection has no calibration of its own. POST /collections/{collection}/calibration measures one."
        )


class EnrolledElsewhere(GalleryError):
    """The photograph is already enrolled for another subject of the collection."""

    code = "known_elsewhere"

    def __init__(self) -> None:
        super().__init__(
            "This photograph is already enrolled for another subject. If that was a mistake, move that face: "
            "PATCH /collections/{collection}/faces/{face}."
        )


class StorageUnavailable(GalleryError):
    """The gallery cannot be read or written: the disk is full or read-only, or the database is gone."""

    code = "storage_unavailable"

    def __init__(self) -> None:
        super().__init__("The gallery cannot be read or written now. Nothing was stored. Try again later.")


class StorageLost(StorageUnavailable):
    """The files of the gallery were moved, deleted, replaced or damaged. It is not repaired by waiting."""

    code = "storage_lost"

    def __init__(self, reason: str) -> None:
        FacenetError.__init__(
            self,
            f"The stored gallery is no longer intact: {reason}. The operator repairs the files, or restores "
            "a backup, and starts the service again.",
        )
        self.reason = reason


class Unavailable(FacenetError):
    """The request is valid, but the service cannot take it now."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(Unavailable):
    """More images are in flight than the limit, or there is too little memory for a photograph."""

    code = "overloaded"


class TimedOut(Unavailable):
    """The request took longer than the limit."""

    code = "timed_out"


class Abandoned(Unavailable):
    """The time limit passed, or the client left. The rest of the work is not done. No client gets this answer."""

    code = "abandoned"

    def __init__(self) -> None:
        super().__init__("Nobody waits for the answer any more. Send the request again.", retry_after_s=5)


class Hanging(Unavailable):
    """A call of a model or a decoder does not return. running_s: how long it has been running."""

    code = "hanging"

    def __init__(self, running_s: float) -> None:
        super().__init__(
            f"A call of a model or a decoder has not returned for {running_s:.0f} s. If it never returns, no "
            "photograph is processed until the service is started again.",
            retry_after_s=30,
        )


class ShuttingDown(Unavailable):
    """The service was told to stop and takes no new work."""

    code = "ending"

    def __init__(self) -> None:
        super().__init__("The service is stopping. Ask another replica, or try again.", retry_after_s=5)
