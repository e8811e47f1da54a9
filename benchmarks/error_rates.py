"""Does the calibration of a model hold on other people? Measured FMR and FPIR, beside those that were asked for.

    python -m benchmarks.error_rates LFW/images --model sface

FMR: over all pairs of the first photographs of two people. And of subjects with three photographs, of which the nearest
counts: against the first photographs of all others. FNMR of these subjects: with their fourth photographs.
FPIR: people with several photographs are enrolled, with one or three photographs each, or with as many as they have.
Strangers are the people with one photograph. The gallery is drawn ten times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from models.commands.options import Model, PipelineChoice
from models.commands.output import print_table
from models.evaluation.data.identities import read_people
from models.evaluation.embedding.files import embed_files
from models.evaluation.metrics.clustering import People
from models.progress import progress_bar
from service.domain.distances import squared_l2
from service.domain.embedding import Embeddings
from service.domain.errors import RateNotMeasured
from service.model_files.calibration import Calibration
from service.pipeline.opening import open_embedder

FMRS = (1e-2, 1e-3, 1e-4)
FPIRS = (0.1, 0.01)
GALLERIES = (10, 100, 1000, 1680)
PHOTOGRAPHS = (1, 3)
DRAWS = 10
OF_A_SUBJECT = 3
"""The photographs of a subject in a verification."""


@dataclass(frozen=True, slots=True, eq=False)
class Photographs:
    """The first photographs of people. embeddings: (n, d) float32; people: (n,) int64, ascending."""

    embeddings: Embeddings
    people: People

    @property
    def first(self) -> NDArray[np.int64]:
        """The row of the first photograph of each person."""
        return np.unique(self.people, return_index=True)[1]

    def measured_fmr(self, threshold_sq_l2: float) -> float:
        """Return the share of the pairs of two people's first photographs that match."""
        faces = self.embeddings[self.first]
        matches = sum(np.count_nonzero(squared_l2(face[None], faces) < threshold_sq_l2) - 1 for face in faces)
        return matches / (len(faces) * (len(faces) - 1))

    def measured_rates_of_subjects(self, threshold_sq_l2: float) -> tuple[float, float]:
        """Return the FMR and the FNMR of verifications against subjects with several photographs."""
        counts, strangers = np.bincount(self.people), self.embeddings[self.first]
        matches, misses = [], []
        for person in np.flatnonzero(counts >= OF_A_SUBJECT):
            references = self.embeddings[self.first[person] + np.arange(OF_A_SUBJECT)]
            nearest = np.delete(squared_l2(references, strangers).min(axis=0), person)
            matches.append(np.mean(nearest < threshold_sq_l2))
            if counts[person] > OF_A_SUBJECT:
                probe = self.embeddings[self.first[person] + OF_A_SUBJECT]
                misses.append(squared_l2(references, probe[None]).min() >= threshold_sq_l2)
        return float(np.mean(matches)), float(np.mean(misses))

    def measured_fpirs(self, calibration: Calibration, fpir: float, people: int, photographs: int) -> list[float]:
        """Return the share of strangers who get a match, for each draw. Raises RateNotMeasured."""
        counts = np.bincount(self.people)
        strangers = self.embeddings[self.first[counts == 1]]
        enough = np.flatnonzero(counts >= photographs if np.sum(counts >= photographs) >= people else counts > 1)
        pool = enough[counts[enough] > 1]
        shares = []
        for draw in range(DRAWS):
            drawn = np.random.default_rng(draw).permutation(pool)[:people]
            rows = np.concatenate([self.first[one] + np.arange(min(photographs, counts[one])) for one in drawn])
            threshold = calibration.threshold_at_fpir(fpir, len(rows))
            nearest = squared_l2(strangers, self.embeddings[rows]).min(axis=1)
            shares.append(float(np.mean(nearest < threshold)))
        return shares


def main(
    folder: Annotated[Path, typer.Argument(help="FOLDER/PERSON/PHOTOGRAPH.jpg, such as LFW/images")],
    model: Model = "sface",
) -> None:
    """Measure, and print a table."""
    options = PipelineChoice(model).pipeline_options()
    calibration = open_embedder(options).card.calibration
    if calibration is None:
        raise typer.BadParameter(f"The card of {model} has no calibration.")
    files = [
        (number, file)
        for number, photographs in enumerate(read_people(folder).values())
        for file in photographs[: max(*PHOTOGRAPHS, OF_A_SUBJECT + 1)]
    ]
    with progress_bar(len(files), "Embedding photographs") as done:
        embeddings, rows = embed_files(options, [file for _, file in files], done)
    people = np.unique([files[row][0] for row in rows], return_inverse=True)[1]
    print_table(
        [("", "asked for", "measured", "measured / asked"), *measure(calibration, Photographs(embeddings, people))]
    )


def measure(calibration: Calibration, photographs: Photographs) -> Iterator[tuple[str, ...]]:
    """Return the rows of the table."""
    for fmr in FMRS:
        try:
            measured = photographs.measured_fmr(calibration.threshold_at_fmr(fmr))
            yield "FMR", f"{fmr:g}", f"{measured:.3g}", f"{measured / fmr:.2f}"
        except RateNotMeasured as refusal:
            yield "FMR", f"{fmr:g}", "refused", str(refusal)
    for fmr in (*FMRS, 1e-5):
        name = f"FMR of subjects with {OF_A_SUBJECT} photographs"
        try:
            measured, fnmr = photographs.measured_rates_of_subjects(calibration.threshold_at_fmr(fmr, OF_A_SUBJECT))
            yield name, f"{fmr:g}", f"{measured:.3g} (FNMR {fnmr:.2%})", f"{measured / fmr:.2f}"
        except RateNotMeasured as refusal:
            yield name, f"{fmr:g}", "refused", str(refusal)
    for count in PHOTOGRAPHS:
        for people in GALLERIES:
            for fpir in FPIRS:
                name = f"FPIR, {people} people, {count} photographs each"
                try:
                    mean = float(np.mean(photographs.measured_fpirs(calibration, fpir, people, count)))
                    yield name, f"{fpir:g}", f"{mean:.4f}", f"{mean / fpir:.2f}"
                except RateNotMeasured as refusal:
                    yield name, f"{fpir:g}", "refused", str(refusal)


if __name__ == "__main__":
    typer.run(main)
