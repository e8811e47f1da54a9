"""The people that an adopted network is measured on, and what its card says of it then."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.calibration.clustering import find_clustering_thresholds, require_enough_pairs
from models.calibration.error_rates import measure_calibration, require_several_photographs
from models.calibration.thresholds import (
    LabelledEmbeddings,
    PhotographSample,
    calibrate,
    draw_sample,
    require_enough_people,
)
from models.errors import AdoptionRefused, DatasetError
from service.model_files.calibration import Calibration

FMR = 0.001
"""The threshold of verification is at this FMR. The paper reports its VAL there too."""
LEAST_VAL = 0.5
"""A network that gets what it was trained on finds more than this share of the mated pairs. With a wrong convention or
a wrong alignment, it finds fewer."""


def draw_people(folder: Path, references: int) -> PhotographSample:
    """Draw photographs of FOLDER/PERSON/PHOTOGRAPH. Raises DatasetError if there are too few to measure."""
    sample = draw_sample(folder)
    require_enough_people(sample.people, references)
    require_several_photographs(sample.people)
    require_enough_pairs(sample.people)
    return sample


@dataclass(frozen=True, slots=True)
class MeasuredPeople:
    """People whose photographs are embedded.

    embed: embeds them with the model file at a path. folder: its name, for the card.
    references, fpir: see `models/calibration/thresholds.py`.
    """

    embed: Callable[[Path], LabelledEmbeddings]
    folder: str
    references: int
    fpir: float

    def measure(self, file: Path) -> dict[str, Any]:
        """Return the measured fields of the card of a model file.

        Raises AdoptionRefused if the network hardly tells people apart. Raises DatasetError if too few photographs have
        a face, or if there are too few people.
        """
        faces = self.embed(file)
        calibration = measure_calibration(faces, self.folder)
        verification = self._threshold(calibration)
        identification = calibrate(faces, self.references, self.fpir).identification
        measured_on = f"{len(faces.people):,} photographs of {len(np.unique(faces.people)):,} people of {self.folder}"
        return {
            "thresholds": {
                "verification": round(verification, 3),
                "identification": identification.model_dump(),
                "chosen_on": f"{measured_on}: FMR {FMR:.1%}",
            },
            "calibration": calibration.model_dump(),
            "clustering": find_clustering_thresholds(faces, measured_on).model_dump(),
        }

    def _threshold(self, calibration: Calibration) -> float:
        """Return the threshold at FMR, squared L2. Raises AdoptionRefused if too few mated pairs are below it.

        Raises DatasetError if there are too few pairs of two people to measure this FMR.
        """
        if calibration.rates[0].fmr > FMR:
            raise DatasetError(
                f"{self.folder} has too few pairs of two people to measure an FMR of {FMR:.1%}. Give more people: 150 "
                "with three photographs each are enough."
            )
        threshold = calibration.threshold_at_fmr(FMR)
        fnmr = calibration.fnmr(threshold)
        if fnmr is not None and fnmr <= 1 - LEAST_VAL:
            return threshold
        found = "an unknown share" if fnmr is None else f"{1 - fnmr:.0%}"
        raise AdoptionRefused(
            f"At an FMR of {FMR:.1%}, the network recognises {found} of the mated pairs of {self.folder}, and at least "
            f"{LEAST_VAL:.0%} are expected. Check --mean, --std, --colour and --alignment, and that every folder shows "
            "one person."
        )
