# ruff: noqa: PLC0415  # evaluations need seconds to import (Matplotlib, SciPy), and pulling models needs none of them
# ruff: noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
"""The commands that measure clusters: evaluate cluster, evaluate clustering."""

from enum import StrEnum
from typing import Annotated

import typer

from models.commands.evaluation import OUT, Out, PerPerson
from models.commands.options import Model, Only, PipelineChoice, UnseenPeople
from models.commands.output import finish_report
from models.progress import progress_bar

app = typer.Typer()

SAMPLES = [100, 500, 2000, 5000]


class Method(StrEnum):
    """The methods of /cluster that need no number of people."""

    AGGLOMERATIVE = "agglomerative"
    DBSCAN = "dbscan"
    HDBSCAN = "hdbscan"


METHODS = [Method.AGGLOMERATIVE]


@app.command("cluster")
def cluster(
    folder: UnseenPeople,
    person: Annotated[
        str | None, typer.Option(help="the person whose cluster is shown; without a name, the largest cluster is shown")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="the threshold, squared L2; without it, the threshold of the card")
    ] = None,
    model: Model = "sface",
    only: Only = None,
    per_person: PerPerson = 1000,
    out: Out = OUT,
) -> None:
    """Figure 7: the cluster of one person, as agglomerative clustering finds it among all the photographs.

    The command needs 16 bytes of memory for each pair of photographs: 0.8 GB for 10,000 photographs.
    """
    from models.evaluation.data.identities import read_identities
    from models.evaluation.experiments.one_cluster import evaluate_one_cluster
    from service.clusterers import create_clusterer
    from service.clusterers.base import ClusteringLimits
    from service.pipeline.opening import open_embedder

    options = PipelineChoice(model).pipeline_options()
    default = open_embedder(options).card.default_clustering_threshold("agglomerative")
    clusterer = create_clusterer("agglomerative", ClusteringLimits(threshold, default_threshold=default))
    identities = read_identities(folder, per_person, only)
    with progress_bar(len(identities.files), "Embedding photographs") as done:
        report = evaluate_one_cluster(options, identities, clusterer, person, done)
    finish_report(report, out, "cluster", model)


@app.command("clustering")
def clustering(
    folder: UnseenPeople,
    faces: Annotated[list[int], typer.Option(min=2, help="how many faces a sample has; repeat the option")] = SAMPLES,
    method: Annotated[list[Method], typer.Option(help="a method of /cluster; repeat the option")] = METHODS,
    draws: Annotated[int, typer.Option(min=1, help="how many samples there are of each size")] = 10,
    model: Model = "sface",
    only: Only = None,
    per_person: PerPerson = 1000,
    out: Out = OUT,
) -> None:
    """Mixed clusters, pairwise and BCubed precision, recall and F, against the number of faces, at the default."""
    from models.evaluation.data.identities import read_identities
    from models.evaluation.embedding.files import embed_files
    from models.evaluation.experiments.clustering import SamplePlan, evaluate_clustering
    from service.pipeline.opening import open_embedder

    options, identities = PipelineChoice(model).pipeline_options(), read_identities(folder, per_person, only)
    with progress_bar(len(identities.files), "Embedding photographs") as done:
        embeddings, rows = embed_files(options, identities.files, done)
    card = open_embedder(options).card
    report = evaluate_clustering(card, embeddings, identities.people[rows], method, SamplePlan(faces, draws))
    finish_report(report, out, "clustering", model)
