"""The thresholds between two compatible models, for the card of the new model.

`facenet-models calibrate-between` runs this. `facenet-models quantise` runs it too: there the new model is the
quantised model, and the old model is its parent.

The old model embedded the references of a gallery, and the new model embeds the probes. They are measured on people
that neither model was trained on.

Verification: the FMR of the old model at its own threshold is measured first. That threshold is 1.242, unless the card
of the old model has another. The result is the largest threshold at which the FMR between the two models is not higher.
So the FMR of a gallery does not rise when the new model searches it, but the FNMR is higher. The threshold of the best
accuracy is not used, because it depends on the ratio of mated pairs to non-mated pairs.

Identification: as in `thresholds.py`, measured in both directions. First the new model embeds the probes and the old
model the gallery, then the old model the probes and the new model the gallery. The lower threshold is taken, so that it
holds in both directions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.calibration.thresholds import (
    SEED,
    LabelledEmbeddings,
    cross_error_rate,
    cross_pairs,
    find_identification_threshold,
)
from models.errors import DatasetError
from models.evaluation.data.identities import Identities
from models.evaluation.embedding.files import embed_files
from models.evaluation.experiments.compatibility import check_dimensions
from models.evaluation.metrics.clustering import People
from models.evaluation.metrics.labelled_pairs import round_down
from service.model_files.card import CompatibleModel, EmbedderCard, IdentificationThreshold, ThresholdsBetweenModels
from service.pipeline.opening import PipelineOptions, open_embedder


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedByBoth:
    """The same photographs, row by row, embedded by the old model and by the new one.

    measured_on: a description of the photographs, in words.
    Raises DatasetError if the rows do not show the same people.
    """

    old: LabelledEmbeddings
    new: LabelledEmbeddings
    measured_on: str

    def __post_init__(self) -> None:
        if not np.array_equal(self.old.people, self.new.people):
            raise DatasetError("The two models were not given the same photographs. Use the same detector for both.")

    def split_people(self) -> tuple["EmbeddedByBoth", "EmbeddedByBoth"]:
        """Return two halves of the people: every second person, and all others."""
        people = np.unique(self.new.people)
        return self._take(people[::2]), self._take(people[1::2])

    def _take(self, people: People) -> "EmbeddedByBoth":
        old, new = (faces.take_first(len(faces.people), people) for faces in (self.old, self.new))
        measured_on = f"{len(new.people):,} faces of {len(people):,} people out of {self.measured_on}"
        return EmbeddedByBoth(old, new, measured_on)


def embed_both(
    old: PipelineOptions, new: PipelineOptions, identities: Identities, folder: str, done: Callable[[], object]
) -> EmbeddedByBoth:
    """Embed the photographs with each of the two models. Photographs without a face are left out.

    identities: from `read_identities`, with PROBES_PER_PERSON photographs of each person. More are not used.
    folder: the name of the folder, for `measured_on`.
    done: called after each photograph, once for each model.
    Raises DatasetError if a photograph cannot be read. Raises InvalidModel if the models differ in dimension.
    """
    check_dimensions(open_embedder(old).card, open_embedder(new).card)
    by_old, by_new = (_embed(options, identities, done) for options in (old, new))
    people = len(np.unique(by_old.people))
    return EmbeddedByBoth(by_old, by_new, f"{len(by_old.people):,} photographs of {people:,} people of {folder}")


def _embed(options: PipelineOptions, identities: Identities, done: Callable[[], object]) -> LabelledEmbeddings:
    embeddings, rows = embed_files(options, identities.files, done)
    return LabelledEmbeddings(embeddings, identities.people[rows], len(identities.files) - len(rows))


def calibrate_between(
    old: EmbedderCard, chosen: EmbeddedByBoth, measured: EmbeddedByBoth, references: int, fpir: float
) -> CompatibleModel:
    """Return the entry of the old model in the card of the new one, without `results`.

    It needs 12 bytes for each ordered pair of photographs: 1.2 GB for 10,000 photographs.

    chosen: the photographs that the thresholds are chosen on.
    measured: the photographs that the error rates are measured on. The rates are unbiased only if these photographs
    show other people than `chosen`.
    references, fpir: of identification, as for `find_identification_threshold`.
    Raises DatasetError if there are not more people than references, or if the models are not compatible.
    """
    verification = _verification_threshold(chosen, old.thresholds.verification)
    identification = _identification_threshold(chosen, references, fpir)
    return CompatibleModel(
        name=old.name,
        id=old.id,
        thresholds=ThresholdsBetweenModels(
            verification=verification,
            identification=IdentificationThreshold(threshold_sq_l2=identification, fpir=fpir, references=references),
            chosen_on=f"{chosen.measured_on}; verification: the FMR of {old.name} at {old.thresholds.verification:g}",
        ),
        error_rates=(cross_error_rate(measured.new, measured.old, verification, measured.measured_on),),
    )


def _verification_threshold(both: EmbeddedByBoth, old_threshold_sq_l2: float) -> float:
    """old_threshold_sq_l2: of the old model, for its own embeddings."""
    fmr = cross_pairs(both.old, both.old).false_match_rate(old_threshold_sq_l2)
    return _round_down_to_positive(cross_pairs(both.new, both.old).threshold_at_fmr(fmr))


def _identification_threshold(both: EmbeddedByBoth, references: int, fpir: float) -> float:
    directions = (both.new, both.old), (both.old, both.new)
    thresholds = [
        find_identification_threshold(probes, gallery, references, fpir, np.random.default_rng(SEED))
        for probes, gallery in directions
    ]
    return _round_down_to_positive(min(thresholds))


def _round_down_to_positive(sq_l2: float) -> float:
    """Round down. Raises DatasetError if the result is 0, because a threshold of 0 accepts nobody."""
    rounded = round_down(sq_l2)
    if rounded <= 0:
        raise DatasetError(
            "No threshold above 0 between the two models keeps the FMR of the old model on these people. The models "
            "are not compatible, or there are too few people. Use compatible models, or give more people."
        )
    return rounded
