"""The gallery does not have what was asked for, or cannot be used."""

from service.domain.errors.base import FacenetError


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
