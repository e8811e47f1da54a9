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
    │   ├── InvalidLine               a line of a bulk enrolment is not a face
    │   └── StorageUnavailable        the gallery cannot be read or written
    │       └── StorageLost           its files were taken away, replaced or damaged
    ├── Unavailable                   the client should try again later
    │   ├── Overloaded                more images in flight than the limit, or too little memory
    │   ├── TimedOut                  the request took longer than the limit
    │   ├── Abandoned                 nobody waits for the answer any more
    │   ├── Hanging                   a model or a decoder does not return
    │   ├── IndexBuilding             the index of a large collection is not ready yet
    │   └── ShuttingDown              the service was told to stop
    ├── AccessError                   see `access_errors.py`
    └── StartupError, ClientError     see `command_errors.py`

Every message says what was expected, what came, and what to do next. No message holds a path of the server, a vector,
or a name that a client gave.
"""

from service.domain.errors.availability import (
    Abandoned,
    Hanging,
    IndexBuilding,
    Overloaded,
    ShuttingDown,
    TimedOut,
    Unavailable,
)
from service.domain.errors.base import FacenetError, InvalidOption
from service.domain.errors.comparisons import EmbeddingError, InvalidEmbedding, ModelMismatch, RateNotMeasured
from service.domain.errors.gallery import (
    CalibrationNotFound,
    CollectionNotFound,
    EnrolledElsewhere,
    FaceNotFound,
    GalleryError,
    InvalidLine,
    StorageLost,
    StorageUnavailable,
    SubjectExists,
    SubjectNotFound,
    SubjectWithoutFaces,
    TooFewPeople,
)
from service.domain.errors.photographs import (
    ImageTooComplex,
    ImageTooLarge,
    LowQuality,
    NoFace,
    PhotographError,
    SeveralFaces,
    UnreadableImage,
)

__all__ = [
    "Abandoned",
    "CalibrationNotFound",
    "CollectionNotFound",
    "EmbeddingError",
    "EnrolledElsewhere",
    "FaceNotFound",
    "FacenetError",
    "GalleryError",
    "Hanging",
    "ImageTooComplex",
    "ImageTooLarge",
    "IndexBuilding",
    "InvalidEmbedding",
    "InvalidLine",
    "InvalidOption",
    "LowQuality",
    "ModelMismatch",
    "NoFace",
    "Overloaded",
    "PhotographError",
    "RateNotMeasured",
    "SeveralFaces",
    "ShuttingDown",
    "StorageLost",
    "StorageUnavailable",
    "SubjectExists",
    "SubjectNotFound",
    "SubjectWithoutFaces",
    "TimedOut",
    "TooFewPeople",
    "Unavailable",
    "UnreadableImage",
]
