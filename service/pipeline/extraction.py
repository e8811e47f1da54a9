"""From the bytes of a photograph to the crops of its faces."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from service.domain.face import Crops, Face, KeptCrop
from service.domain.image import Image, Notice
from service.domain.quality import FaceMeasures
from service.domain.waiting import require_waiting_client
from service.observability.stages import stage
from service.pipeline.alignment import Aligner
from service.pipeline.decoding.decode import ChooseReduction, decode, outline
from service.pipeline.detection.finding import FindFaces, RefineFaces
from service.pipeline.quality import TEMPLATE, measure_faces
from service.pipeline.selection import SelectFaces

KeepCrop = Callable[[Image, Face], KeptCrop | None]
"""Returns what is kept of a photograph around a face. None: nothing."""


def keep_nothing(_image: Image, _face: Face) -> None:
    """Return None."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectedFaces:
    """The selected faces of an image.

    faces_found: how many faces the photograph shows, selected or not.
    """

    image: Image
    faces: tuple[Face, ...]
    faces_found: int
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ExtractedFaces:
    """The selected faces of a photograph, their crops and what was measured of them, row by row.

    crops: (n, h, w, 3) uint8.
    kept_crops: what is kept of the photograph around each face. None: nothing.
    faces_found: how many faces the photograph shows, selected or not.
    """

    faces: tuple[Face, ...]
    crops: Crops
    kept_crops: tuple[KeptCrop | None, ...]
    measures: tuple[FaceMeasures, ...]
    faces_found: int
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class FaceExtractor:
    """Decodes, finds faces, selects and aligns. It works on one photograph at a time, in the calling thread.

    choose_reduction: at which reduction a photograph is decoded before it is searched.
    refine_faces: finds the landmarks again after a second decoding.
    min_face_px: the width of the smallest face that is looked for.
    max_faces: the most faces that are used. If there are more, those with the highest scores are used.
    """

    find_faces: FindFaces
    refine_faces: RefineFaces
    choose_reduction: ChooseReduction
    aligner: Aligner
    max_pixels: int
    min_face_px: int
    max_faces: int

    def count_pixels(self, data: bytes) -> int:
        """Return the pixels of a photograph. None is decoded.

        `extract` reads the structure of the file again. An outline that waits for a thread would be a copy of the file.
        Raises the PhotographError of a file that is refused before it is decoded, or Abandoned.
        """
        require_waiting_client()
        with stage("decode"):
            found = outline(data, self.max_pixels)
        return found.width * found.height

    def extract(self, data: bytes, select: SelectFaces, keep: KeepCrop = keep_nothing) -> ExtractedFaces:
        """Return the crops of the selected faces. There may be none.

        Raises PhotographError. Raises Abandoned before each step if nobody waits for the answer.
        """
        return self.cut_out(self.detect(data, select), keep)

    def cut_out(self, detected: DetectedFaces, keep: KeepCrop = keep_nothing) -> ExtractedFaces:
        """Return the crops of detected faces, and what is measured of the faces."""
        with stage("align"):
            crops = self.aligner.align(detected.image, detected.faces)
            kept_crops = tuple(keep(detected.image, face) for face in detected.faces)
        with stage("quality"):
            template_crops = crops if self.aligner == TEMPLATE else TEMPLATE.align(detected.image, detected.faces)
            measures = tuple(measure_faces(detected.image, detected.faces, template_crops))
        return ExtractedFaces(detected.faces, crops, kept_crops, measures, detected.faces_found, detected.notices)

    def crops_of_kept(self, kept: KeptCrop) -> Crops:
        """Return the crop of an enrolled face, (1, h, w, 3) uint8, from what was kept of its photograph.

        Raises PhotographError if the picture is damaged.
        """
        image = replace(decode(kept.picture, self.max_pixels), reduction=kept.reduction)
        return self.aligner.align(image, [Face(kept.box, kept.landmarks, detection_score=1.0)])

    def detect(self, data: bytes, select: SelectFaces) -> DetectedFaces:
        """Return the selected faces. There may be none. Raises PhotographError, Abandoned."""
        require_waiting_client()
        with stage("decode"):
            image = decode(data, self.max_pixels, self.choose_reduction)
        require_waiting_client()
        found = self.find_faces(image)
        faces = tuple(select(found[: self.max_faces], image))
        if self._need_full_size(image, faces):
            del image  # two decoded photographs would take more memory than one
            require_waiting_client()
            with stage("decode"):
                image = decode(data, self.max_pixels)
            with stage("landmarks"):
                faces = tuple(self.refine_faces(image, faces))
        return DetectedFaces(image, faces, len(found), (*image.notices, *self._notices(found, faces)))

    def _need_full_size(self, image: Image, faces: Sequence[Face]) -> bool:
        """Return whether a crop would have to be enlarged, and would not if the photograph had its full size."""
        return image.reduction > 1 and any(
            aligner.scale(face) * image.reduction > 1 for face in faces for aligner in (self.aligner, TEMPLATE)
        )

    def _notices(self, found: Sequence[Face], selected: Sequence[Face]) -> Iterator[Notice]:
        if len(found) > self.max_faces:
            yield Notice.FACES_LEFT_OUT
        if any(face.quarter_turns for face in selected):
            yield Notice.TURNED
