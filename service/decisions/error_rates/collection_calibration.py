"""Measure the calibration of a collection, and decide which calibration a search uses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from service.decisions.cluster import FACES_FOR_PROCESS, ClusteringPlaces
from service.decisions.model_comparison import ModelComparison
from service.decisions.probes import ProbeReader
from service.domain.errors import CalibrationNotFound, ModelMismatch
from service.model_files.calibration import CalibrationSource
from service.model_files.own_calibration import CollectionCalibration, measure_people
from service.observability.outcomes import note_collection
from service.observability.stages import stage


@dataclass(frozen=True, slots=True)
class MeasuredCollection:
    """A new calibration. duplicates: pairs of subjects that look like one person, by their ids."""

    stored: CollectionCalibration
    duplicates: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ChosenCalibration:
    """The thresholds with the calibration that is used, and whose it is."""

    comparison: ModelComparison
    source: CalibrationSource


async def measure_collection(probes: ProbeReader, collection: str, places: ClusteringPlaces) -> MeasuredCollection:
    """Measure how often the subjects of the collection match each other, and store it.

    Raises TooFewPeople, ModelMismatch, GalleryError or Overloaded.
    """
    note_collection(collection)
    with stage("gallery"):
        people = await probes.gallery.draw_people(collection, probes.loaded_model)
    card = probes.card.calibration
    place = places.process if len(people.compared.embeddings) >= FACES_FOR_PROCESS else places.threads
    with stage("calibrate"):
        measured = await place.run(measure_people, people.compared, card.lowest_threshold if card else None)
    stored = CollectionCalibration(
        table=measured.table,
        model_id=probes.card.id,
        measured_at=datetime.now(UTC),
        subjects=people.subjects,
        copies=measured.copies,
        duplicates=len(measured.twice),
    )
    with stage("gallery"):
        await probes.gallery.save_calibration(collection, people, stored)
    return MeasuredCollection(stored, [(people.ids[one], people.ids[again]) for one, again in measured.twice])


async def choose_calibration(
    probes: ProbeReader, comparison: ModelComparison, collection: str, source: CalibrationSource | None
) -> ChosenCalibration:
    """Return the calibration that a search uses. source: None means what the collection is set to.

    Raises CalibrationNotFound. Raises ModelMismatch if the calibration is not of this comparison.
    """
    if (source or probes.gallery.calibration_source(collection)) == "model":
        return ChosenCalibration(comparison, "model")
    try:
        own = await probes.gallery.get_calibration(collection)
    except CalibrationNotFound:
        if source == "own":
            raise
        return ChosenCalibration(comparison, "model")  # it was deleted just now
    if comparison.compatible_model is not None or own.model_id != probes.card.id:
        raise ModelMismatch(
            "The collection's own calibration was not measured with the loaded model. Measure it again if the loaded "
            "model made the faces: POST /collections/{collection}/calibration. Or pass calibration=model."
        )
    return ChosenCalibration(replace(comparison, calibration=own.table), "own")
