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
    │   │   └── ImportUnfinished      an import of the collection is not finished
    │   ├── CollectionNotEmpty        a collection is to be imported into one that has subjects
    │   ├── FacesExist                imported faces are in another collection
    │   ├── InvalidImport             lines of a collection's file are damaged
    │   ├── ImportOutOfOrder          a part of a collection's file does not follow the last one
    │   ├── SubjectNotFound
    │   ├── FaceNotFound
    │   ├── CropNotFound              nothing is kept of the photograph of a face
    │   ├── SubjectWithoutFaces       a subject has no enrolled face to compare with
    │   ├── SubjectExists             the requested id is taken
    │   ├── TooFewPeople              a collection has too few subjects with a face for a calibration
    │   ├── CalibrationNotFound       a collection has no calibration of its own
    │   ├── ReembeddingNotFound       a collection has no embeddings by another model
    │   ├── ReembeddingIncomplete     faces have no embedding by the other model of their collection
    │   ├── EnrolledElsewhere         the photograph is enrolled for another subject
    │   ├── InvalidLine               a line of a bulk enrolment is not a face
    │   ├── BackupElsewhere           the gallery is in a database server, which makes its own backups
    │   └── StorageUnavailable        the gallery cannot be read or written
    │       ├── StorageLost           its files were taken away, replaced or damaged
    │       └── ChangeUnconfirmed     the connection was lost while a change was committed
    ├── Unavailable                   the client should try again later
    │   ├── Overloaded                more images in flight than the limit, or too little memory
    │   ├── TimedOut                  the request took longer than the limit
    │   ├── Abandoned                 nobody waits for the answer any more
    │   ├── Hanging                   a model or a decoder does not return
    │   ├── IndexBuilding             the index of a large collection is not ready yet
    │   ├── SearchUnavailable         the search server does not answer, or does not have all faces yet
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
    SearchUnavailable,
    ShuttingDown,
    TimedOut,
    Unavailable,
)
from service.domain.errors.base import FacenetError, InvalidOption
from service.domain.errors.comparisons import EmbeddingError, InvalidEmbedding, ModelMismatch, RateNotMeasured
from service.domain.errors.gallery import (
    BackupElsewhere,
    CalibrationNotFound,
    ChangeUnconfirmed,
    CollectionNotEmpty,
    CollectionNotFound,
    CropNotFound,
    EnrolledElsewhere,
    FaceNotFound,
    FacesExist,
    GalleryError,
    ImportOutOfOrder,
    ImportUnfinished,
    InvalidImport,
    InvalidLine,
    ReembeddingIncomplete,
    ReembeddingNotFound,
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
    "BackupElsewhere",
    "CalibrationNotFound",
    "ChangeUnconfirmed",
    "CollectionNotEmpty",
    "CollectionNotFound",
    "CropNotFound",
    "EmbeddingError",
    "EnrolledElsewhere",
    "FaceNotFound",
    "FacenetError",
    "FacesExist",
    "GalleryError",
    "Hanging",
    "ImageTooComplex",
    "ImageTooLarge",
    "ImportOutOfOrder",
    "ImportUnfinished",
    "IndexBuilding",
    "InvalidEmbedding",
    "InvalidImport",
    "InvalidLine",
    "InvalidOption",
    "LowQuality",
    "ModelMismatch",
    "NoFace",
    "Overloaded",
    "PhotographError",
    "RateNotMeasured",
    "ReembeddingIncomplete",
    "ReembeddingNotFound",
    "SearchUnavailable",
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
