"""What is in a folder of people twice: files with the same bytes, and at which threshold two folders have one person.

The folder of a photograph is the first one below the folder that is read. So photographs in nested folders belong to
the person above them, as in an enrolment.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facenet_client.schemas import LoadedModelAnswer
from service.commands.photographs.face_finding import FoundFaces
from service.commands.sorting.same_people import BESIDE
from service.domain.command_errors import NoCalibration
from service.model_files.calibration import Calibration

CHANCE_MATCHES = 0.1
"""In one of ten folders, one pair is reported by chance."""


def read_calibration(model: LoadedModelAnswer) -> Calibration | None:
    """Return the error rates of the model, if they were measured. model: the answer of GET /model."""
    return None if model.calibration is None else Calibration.model_validate(model.calibration.model_dump())


def folders_of(found: FoundFaces, root: Path) -> list[str]:
    """Return the folder of each photograph: the first one below `root`."""
    parts = [file.relative_to(root).parts for file in found.photographs]
    return [names[0] if len(names) > 1 else BESIDE for names in parts]


def identical_files(found: FoundFaces) -> list[tuple[Path, ...]]:
    """Return the files that have the same bytes, together, in the order of the first of each."""
    files: dict[str, list[Path]] = {}
    for file, sha256 in zip(found.photographs, found.sha256, strict=True):
        files.setdefault(sha256, []).append(file)
    return [tuple(same) for same in files.values() if len(same) > 1]


def pairs_between_folders(found: FoundFaces, folders: Sequence[str]) -> int:
    """Return how many pairs of faces are in two different folders. Photographs beside the folders do not count."""
    of_face = [folders[face.photograph] for face in found.faces if folders[face.photograph] != BESIDE]
    counts = np.unique(of_face, return_counts=True)[1] if of_face else np.zeros(1, np.int64)
    return int((counts.sum() ** 2 - (counts**2).sum()) // 2)


def choose_threshold(calibration: Calibration | None, pairs: int, highest: float) -> float:
    """Return the threshold for this many pairs of faces, squared L2. It is at most `highest`.

    It is the one at which CHANCE_MATCHES of the pairs are expected to match by chance. If the calibration does not
    reach so far, it is the lowest threshold that was measured. Raises NoCalibration.
    """
    if calibration is None:
        raise NoCalibration
    most, least = calibration.rates[-1].fmr, calibration.rates[0].fmr
    fmr = min(max(CHANCE_MATCHES / max(pairs, 1), least), most)
    return min(calibration.threshold_at_fmr(fmr), highest)


def chance_matches(calibration: Calibration | None, pairs: int, threshold: float) -> float | None:
    """Return how many of the pairs are expected to match by chance. None if it was not measured."""
    fmr = None if calibration is None else calibration.fmr(threshold)
    return None if fmr is None else fmr * pairs
