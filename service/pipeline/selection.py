"""Which faces of an image are used."""

from collections.abc import Callable, Sequence

from service.domain.errors import SeveralFaces
from service.domain.face import Face
from service.domain.image import Image

SelectFaces = Callable[[Sequence[Face], Image], Sequence[Face]]
"""Selects faces of an image. Only these are refined, aligned and embedded."""


def all_faces(faces: Sequence[Face], _image: Image) -> Sequence[Face]:
    """Select every face."""
    return faces


def main_face(faces: Sequence[Face], image: Image) -> Sequence[Face]:
    """Select the face with the greatest `area - 2 * (distance of its centre from the image's centre)^2`, if any.

    This is the rule of davidsandberg/facenet. In 41 of 7,701 images of LFW, the largest face is that of a bystander.
    """

    def prominence(face: Face) -> float:
        x, y = face.box.centre
        return face.box.area - 2.0 * ((x - image.width / 2) ** 2 + (y - image.height / 2) ** 2)

    return [max(faces, key=prominence)] if faces else []


def only_face(faces: Sequence[Face], _image: Image) -> Sequence[Face]:
    """Select the only face, if any. Raises SeveralFaces if there are more."""
    if len(faces) > 1:
        raise SeveralFaces(len(faces))
    return faces
