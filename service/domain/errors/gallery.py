"""The gallery does not have what was asked for, or cannot be used."""

from service.domain.errors.base import FacenetError


class GalleryError(FacenetError):
    """The gallery cannot do what was asked."""


class CollectionNotFound(GalleryError):
    """No collection has this id."""

    code = "collection_not_found"

    def __init__(self) -> None:
        super().__init__(
            "No collection has this id, or the access key does not include it. GET /collections lists them (scope "
            "`read`), and PUT /collections/{id} creates one (scope `enrol`)."
        )


class ImportUnfinished(CollectionNotFound):
    """An import of the collection was begun, and is not finished."""

    code = "import_unfinished"

    def __init__(self) -> None:
        FacenetError.__init__(
            self,
            "The import of this collection is not finished. Import the same file again: it continues where it stopped. "
            "Or delete the collection.",
        )


class CollectionNotEmpty(GalleryError):
    """A collection is to be imported into one that holds something."""

    code = "collection_not_empty"

    def __init__(self) -> None:
        super().__init__(
            "The collection has subjects. A file is imported into a new collection, or one without subjects. Choose "
            "another id."
        )


class FacesExist(GalleryError):
    """Faces of an import are in another collection of the gallery. The id of a face occurs once."""

    code = "faces_exist"

    def __init__(self) -> None:
        super().__init__(
            "The gallery has faces with the ids of these faces, in another collection. Delete that collection first, "
            "or import into another gallery."
        )


class InvalidImport(GalleryError):
    """Lines of a collection's file are not what `facenet export` writes, or do not belong together."""

    code = "invalid_import"


class ImportOutOfOrder(GalleryError):
    """A part of a collection's file does not follow the part that was stored last."""

    code = "import_out_of_order"

    def __init__(self) -> None:
        super().__init__(
            "This part of the file does not follow the part that was stored last, or its lines were changed. Send the "
            "first part again: the answer has the checksum of the part that was stored last."
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


class CropNotFound(GalleryError):
    """Nothing is kept of the photograph of the face."""

    code = "crop_not_found"

    def __init__(self) -> None:
        super().__init__(
            "No crop of this face is kept. With FACE_GALLERY__KEEP_CROPS=yes, the service keeps one of each photograph "
            "that is enrolled. Then enrol the photograph again: a face that is known gets its crop."
        )


class ReembeddingNotFound(GalleryError):
    """The collection has no second set of embeddings, or none by this model."""

    code = "reembedding_not_found"

    def __init__(self) -> None:
        super().__init__(
            "The collection has no embeddings by this other model. POST /collections/{collection}/reembedding begins "
            "to make them, if FACE_MODELS__NEXT_EMBEDDER names the model."
        )


class ReembeddingIncomplete(GalleryError):
    """Faces of the collection have no embedding by the other model."""

    code = "reembedding_incomplete"

    def __init__(self, faces: int, waiting: int, missing: int) -> None:
        """Describe it. waiting: how many are still to be embedded. missing: how many cannot be."""
        super().__init__(
            f"Of {faces:,} faces, {waiting:,} wait to be embedded by this model: try again later. {missing:,} cannot "
            "be, because no usable crop of them is kept: enrol their photographs again with "
            "FACE_GALLERY__KEEP_CROPS=yes, or send `delete_missing`: true to delete these faces for good."
        )


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

    def __init__(self, people: int, set_aside: int = 0) -> None:
        """Describe it. set_aside: how many subjects look like copies of others."""
        duplicates = f"{set_aside:,} more look like copies of others: merge those who are one person. "
        super().__init__(
            f"For error rates, at least 20 different people with a face are usually needed, and the collection has "
            f"{people:,}. {duplicates if set_aside else ''}Enrol more, or use the calibration of the model."
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


class InvalidLine(GalleryError):
    """A line of a bulk enrolment is not a face."""

    code = "invalid_line"


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


class ChangeUnconfirmed(StorageUnavailable):
    """The connection to the database was lost while a change was committed. It may be stored or not."""

    code = "change_unconfirmed"

    def __init__(self) -> None:
        FacenetError.__init__(
            self,
            "The connection to the database was lost while the change was committed. It may be stored. Send the "
            "request again: what is enrolled or deleted already stays so.",
        )


class BackupElsewhere(GalleryError):
    """The gallery is in a database server, which makes its own backups."""

    code = "backup_elsewhere"

    def __init__(self) -> None:
        super().__init__("The gallery is in a PostgreSQL server. Make its backup there, for example with pg_dump.")
