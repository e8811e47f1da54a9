"""Several references of a person: which distance between a probe and a person makes the fewest errors?

    python -m benchmarks.references LFW/images --two-names models/evaluation/identification/lfw_two_names.toml

Enrolled: people with at least `--photographs`, with `--references` each. Their other photographs are the probes, at
most 20 of a person, and each person has the same weight. Strangers: one photograph of everybody else.

The rules: the nearest reference, which is that of the service; the mean of the references, scaled to length 1 (the mean
template); the mean of the two nearest; the vote of the k nearest of all references, as FaceNet proposes for recognition
(section 3). A tie of votes goes to the nearest reference, and the distance of a vote is that of the nearest reference.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from models.commands.options import Model, PipelineChoice
from models.commands.output import print_table
from models.evaluation.data.identities import list_identities
from models.evaluation.embedding.files import embed_files
from models.evaluation.identification.open_set import Searches
from models.evaluation.identification.two_names import read_two_names
from models.evaluation.metrics.clustering import People
from models.progress import progress_bar
from service.domain.distances import Distances, squared_l2, unit
from service.domain.embedding import Embeddings

FPIRS = (0.01, 0.001)
PROBES = 20
SEED, RESAMPLES = 20_150_612, 300

Gallery = NDArray[np.float32]
"""(m, r, d) float32: r references of each of m people."""

Rule = Callable[[Embeddings, Gallery], Distances]
"""Returns the distance between each probe and each person, (n, m). A person who loses a vote is at 9."""


def nearest(probes: Embeddings, gallery: Gallery) -> Distances:
    """Return the distance of the nearest reference."""
    return np.asarray(_all(probes, gallery).min(axis=2))


def mean_template(probes: Embeddings, gallery: Gallery) -> Distances:
    """Return the distance of the mean of the references."""
    return squared_l2(probes, unit(gallery.mean(axis=1)))


def mean_of_two(probes: Embeddings, gallery: Gallery) -> Distances:
    """Return the mean distance of the two nearest references."""
    return np.asarray(np.sort(_all(probes, gallery), axis=2)[:, :, :2].mean(axis=2))


def vote_of(count: int) -> Rule:
    """Return the rule of the `count` nearest references."""

    def vote(probes: Embeddings, gallery: Gallery) -> Distances:
        distances = _all(probes, gallery)
        near = np.argpartition(distances.reshape(len(probes), -1), count, axis=1)[:, :count] // gallery.shape[1]
        votes = np.zeros(distances.shape[:2], np.float32)
        np.add.at(votes, (np.arange(len(probes))[:, None], near), 1)
        of_person = distances.min(axis=2)
        elected = (votes - of_person / 5).argmax(axis=1)[:, None]
        return np.where(np.arange(len(gallery)) == elected, of_person, np.float32(9))

    return vote


def _all(probes: Embeddings, gallery: Gallery) -> NDArray[np.float32]:
    people, references, dimension = gallery.shape
    distances = squared_l2(probes, gallery.reshape(-1, dimension))
    return distances.reshape(len(probes), people, references)


RULES: dict[str, Rule] = {
    "nearest reference": nearest,
    "mean template": mean_template,
    "mean of the two nearest": mean_of_two,
    "vote of 3": vote_of(3),
    "vote of 5": vote_of(5),
}


def main(
    folder: Annotated[Path, typer.Argument(help="FOLDER/PERSON/PHOTOGRAPH.jpg, such as LFW/images")],
    two_names: Annotated[Path, typer.Option(help="the list of strangers who are set aside")],
    photographs: Annotated[int, typer.Option(help="how many photographs an enrolled person has at least")] = 5,
    references: Annotated[int, typer.Option(help="how many of them are enrolled")] = 3,
    model: Model = "sface",
) -> None:
    """Measure, and print a table."""
    identities = list_identities(folder)
    aside = {person.alone for person in read_two_names(two_names)}
    with progress_bar(len(identities.files), "Embedding photographs") as done:
        embeddings, rows = embed_files(PipelineChoice(model).pipeline_options(), identities.files, done)
    people = identities.people[rows]
    keep = np.array([identities.names[person] not in aside for person in people])
    print_table(measure(embeddings[keep], people[keep], photographs, references))


def measure(embeddings: Embeddings, people: People, photographs: int, references: int) -> list[tuple[str, ...]]:
    """Return the rows of the table. people: (n,) int64, ascending."""
    _, first, counts = np.unique(people, return_index=True, return_counts=True)
    enrolled = counts >= photographs
    gallery = embeddings[first[enrolled][:, None] + np.arange(references)]
    number = np.arange(len(people)) - np.repeat(first, counts)
    searched = np.repeat(enrolled, counts) & (number >= references) & (number < references + PROBES)
    owners = np.repeat(np.cumsum(enrolled) - 1, counts)[searched]
    strangers = embeddings[first[~enrolled]]
    title = f"{len(gallery)} people, {references} references, {len(owners):,} probes, {len(strangers):,} strangers"
    rows: list[tuple[str, ...]] = [(title, "1 - rank-1", *(f"FNIR at FPIR {fpir:g}; minus nearest" for fpir in FPIRS))]
    usual: NDArray[np.float64] | None = None
    for name, rule in RULES.items():
        of_probes, of_strangers = rule(embeddings[searched], gallery), rule(strangers, gallery)
        found = Searches(of_probes.argmin(axis=1) == owners, of_probes.min(axis=1), owners, of_strangers.min(axis=1))
        measured = _draws(found)
        usual = measured if usual is None else usual
        rows.append((name, f"{100 * measured[0, 0]:.2f} %", *_cells(measured, usual)))
    return rows


def _draws(found: Searches) -> NDArray[np.float64]:
    """Return 1 - rank-1 and FNIR at each FPIR. The first row is measured; in the others people are drawn."""
    rng = np.random.default_rng(SEED)
    people, strangers = found.owners.max() + 1, len(found.strangers)
    of_person = 1.0 / np.bincount(found.owners)[found.owners]
    drawn = [(np.ones(people), found.strangers)]
    drawn += [
        (np.bincount(rng.integers(0, people, people), minlength=people), rng.choice(found.strangers, strangers))
        for _ in range(RESAMPLES)
    ]
    return np.array([_rates(found, of_person * times[found.owners], nearest) for times, nearest in drawn])


def _rates(found: Searches, weights: NDArray[np.float64], strangers: Distances) -> list[float]:
    limits = [np.inf, *(np.sort(strangers)[int(fpir * len(strangers) + 1e-9)] for fpir in FPIRS)]
    return [1.0 - float(np.average(found.right & (found.distances < limit), weights=weights)) for limit in limits]


def _cells(measured: NDArray[np.float64], usual: NDArray[np.float64]) -> list[str]:
    rates, change = 100 * measured[:, 1:], 100 * (measured - usual)[:, 1:]
    (low, high), (least, most) = (np.quantile(values[1:], (0.025, 0.975), axis=0) for values in (rates, change))
    return [
        f"{rates[0, at]:.2f} ({low[at]:.2f} to {high[at]:.2f}) %; "
        f"{change[0, at]:+.2f} ({least[at]:+.2f} to {most[at]:+.2f})"
        for at in range(len(FPIRS))
    ]


if __name__ == "__main__":
    typer.run(main)
