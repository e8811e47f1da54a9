"""What does a margin between the two nearest subjects prevent, wrong names, and what does it cost, right names?

    python -m benchmarks.ambiguity FOLDER --model sface

People with two photographs or more are enrolled with one each. Their other photographs are the probes. With a margin, a
probe is ambiguous if a second subject has nearly the score of the nearest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from models.calibration.thresholds import LabelledEmbeddings, draw_sample, embed_sample
from models.commands.options import Model, PipelineChoice
from models.commands.output import print_table
from models.progress import progress_bar
from service.decisions.error_rates.score import ScoreScale
from service.decisions.error_rates.thresholds import MaxRate, RequestedThreshold, identification_threshold
from service.decisions.model_comparison import ModelComparison
from service.domain.distances import squared_l2
from service.model_files.card import EmbedderCard
from service.pipeline.opening import open_embedder

GALLERIES = (100, 1000)
WISHES: dict[str, RequestedThreshold] = {"the default": None, "FPIR 0.1": MaxRate(0.1)}
MARGINS_POINTS = (5, 10, 15, 20)
DRAWS = 6
PROBES_PER_PERSON = 4


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The nearest subjects of probes that are enrolled.

    distances: (n, 2) float32, squared L2, of the two nearest subjects.
    right: (n,) bool, whether the nearest is the person of the probe.
    """

    distances: NDArray[np.float32]
    right: NDArray[np.bool_]


def main(folder: Annotated[Path, typer.Argument(help="FOLDER/PERSON/PHOTOGRAPH.jpg")], model: Model = "sface") -> None:
    """Measure, and print a table."""
    options = PipelineChoice(model).pipeline_options()
    sample = draw_sample(folder)
    with progress_bar(len(sample.files), "Embedding photographs") as done:
        faces = embed_sample(options, sample, done)
    names = ("people", "threshold", "margin", "right names lost", "wrong names prevented", "right for each wrong")
    print_table([names, *measure(open_embedder(options).card, faces)])


def measure(card: EmbedderCard, faces: LabelledEmbeddings) -> Iterator[tuple[str, ...]]:
    """Return the rows of the table."""
    comparison = ModelComparison(card.thresholds, card.calibration, None)
    for people in GALLERIES:
        draws = [_search(faces, people, np.random.default_rng(draw)) for draw in range(DRAWS)]
        found = Found(np.concatenate([one.distances for one in draws]), np.concatenate([one.right for one in draws]))
        for name, requested in WISHES.items():
            scale = ScoreScale(identification_threshold(comparison, requested, people), card.calibration)
            for margin in MARGINS_POINTS:
                yield f"{people:,}", name, str(margin), *_cost(found, scale, margin)


def _search(faces: LabelledEmbeddings, people: int, rng: np.random.Generator) -> Found:
    """Search the photographs of the drawn people, as many as there are, in a gallery of one photograph of each."""
    counts = np.bincount(faces.people)
    drawn = rng.permutation(np.flatnonzero(counts > 1))[:people]
    first = np.array([np.argmax(faces.people == person) for person in drawn])
    others = [np.flatnonzero(faces.people == person)[1 : 1 + PROBES_PER_PERSON] for person in drawn]
    probes = np.concatenate(others)
    distances = squared_l2(faces.embeddings[probes], faces.embeddings[first])
    nearest = np.argsort(distances, axis=1)[:, :2]
    right = drawn[nearest[:, 0]] == faces.people[probes]
    return Found(np.take_along_axis(distances, nearest, axis=1), right)


def _cost(found: Found, scale: ScoreScale, margin_points: float) -> tuple[str, str, str]:
    """Return the shares of right names lost and of wrong names prevented, and the first for each of the second."""
    scores = np.array([[scale.score(float(distance)) for distance in row] for row in found.distances])
    named = found.distances[:, 0] < scale.threshold_sq_l2
    ambiguous = scores[:, 0] - scores[:, 1] < margin_points
    right, wrong = named & found.right, named & ~found.right
    lost, prevented = int(np.sum(right & ambiguous)), int(np.sum(wrong & ambiguous))
    return (
        _share(lost, int(right.sum())),
        _share(prevented, int(wrong.sum())),
        f"{lost / prevented:.1f}" if prevented else "-",
    )


def _share(count: int, total: int) -> str:
    return f"{count:,} of {total:,} ({100 * count / max(total, 1):.2f} %)"


if __name__ == "__main__":
    typer.run(main)
