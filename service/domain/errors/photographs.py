"""A photograph cannot be used."""

from service.domain.errors.base import FacenetError
from service.domain.quality import FaceQuality


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
