"""The cluster of one person as a picture (FaceNet, section 5.8, Figure 7).

A clusterer of the service clusters the photographs of a folder of people. One cluster is shown: the cluster with the
most photographs of a person, or the largest cluster.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.errors import DatasetError
from models.evaluation.data.identities import Identities
from models.evaluation.embedding.files import embed_files
from models.evaluation.metrics.clustering import People, pairwise
from models.evaluation.reports.contact_sheet import Section, Tile, cut_tiles, draw_sheet
from models.evaluation.reports.report import Row
from service.clusterers.base import Clusterer, Labels
from service.domain.face import Crops
from service.pipeline.opening import PipelineOptions

COLUMNS = 10


@dataclass(frozen=True, slots=True)
class ClusterStatistics:
    """The shown cluster, and all photographs that were clustered.

    person: the requested person, or the person with the most photographs in the cluster.
    in_cluster: how many photographs of the person are in the cluster.
    of_person: how many photographs of the person were clustered.
    faces: how many photographs were clustered.
    clusters: how many clusters there are.
    pairwise_f: of all clusters.
    """

    person: str
    in_cluster: int
    of_person: int
    faces: int
    clusters: int
    pairwise_f: float


@dataclass(frozen=True, slots=True, eq=False)
class OneCluster:
    """The photographs of the shown cluster, row by row.

    people: the name of the person on each photograph.
    crops: (n, h, w, 3) uint8.
    """

    files: tuple[Path, ...]
    people: tuple[str, ...]
    crops: Crops
    statistics: ClusterStatistics

    @property
    def purity(self) -> float:
        """The share of the cluster that shows the person."""
        return self.statistics.in_cluster / len(self.files)

    @property
    def share_of_person(self) -> float:
        """The share of the person's photographs that is in the cluster."""
        return self.statistics.in_cluster / self.statistics.of_person

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        counts = self.statistics
        purity, share = f"{100 * self.purity:.1f} %", f"{100 * self.share_of_person:.1f} %"
        return [
            (f"{counts.faces} faces in {counts.clusters} clusters", counts.person),
            ("photographs in the cluster", f"{len(self.files)}"),
            ("purity", f"{purity} ({counts.in_cluster} of {len(self.files)})"),
            ("of the person's photographs", f"{share} ({counts.in_cluster} of {counts.of_person})"),
            ("pairwise F of all clusters", f"{counts.pairwise_f:.3f}"),
        ]

    def numbers(self) -> dict[str, object]:
        """Return the measured numbers by name, and the photographs in the cluster."""
        counts = self.statistics
        return {
            "person": counts.person,
            "size": len(self.files),
            "purity": self.purity,
            "found": self.share_of_person,
            "faces": counts.faces,
            "clusters": counts.clusters,
            "pairwise_f": counts.pairwise_f,
            "members": [f"{file.parent.name}/{file.name}" for file in self.files],
        }

    def draw(self) -> Figure:
        """Draw all faces of the cluster: first those of the person, then the others with their names."""
        person = self.statistics.person
        of_others = [name != person for name in self.people]
        order = sorted(range(len(self.files)), key=lambda row: (of_others[row], row))
        tiles = tuple(Tile(self.crops[row], self.people[row] if of_others[row] else "") for row in order)
        title = (
            f"{person}: {len(self.files)} photographs in one cluster, purity {100 * self.purity:.1f} %, "
            f"{100 * self.share_of_person:.1f} % of the person's photographs"
        )
        height, width = self.crops.shape[1:3]
        return draw_sheet([Section(title, tiles)], COLUMNS, (height, width))


def evaluate_one_cluster(
    options: PipelineOptions,
    identities: Identities,
    clusterer: Clusterer,
    person: str | None,
    done: Callable[[], object],
) -> OneCluster:
    """Embed the photographs, cluster them, and cut out the faces of one cluster.

    person: the person whose cluster is shown. None takes the largest cluster.
    done: called after each photograph.
    Raises DatasetError if no folder has the name of the person, or if there is no cluster to show.
    """
    if person is not None and person not in identities.names:
        raise DatasetError(f"There is no photograph of {person}. Give --person the name of one of the folders.")
    embeddings, rows = embed_files(options, identities.files, done)
    people = identities.people[rows]
    labels = clusterer.cluster(embeddings, np.arange(len(rows))).labels
    members = choose_cluster(labels, people, None if person is None else identities.names.index(person))
    files = tuple(identities.files[rows[row]] for row in members)
    names = tuple(identities.names[number] for number in people[members])
    shown_person = person or Counter(names).most_common(1)[0][0]
    statistics = ClusterStatistics(
        person=shown_person,
        in_cluster=names.count(shown_person),
        of_person=int(np.count_nonzero(people == identities.names.index(shown_person))),
        faces=len(labels),
        clusters=int(labels.max()) + 1,
        pairwise_f=pairwise(labels, people).f,
    )
    return OneCluster(files, names, cut_tiles(options, files), statistics)


def choose_cluster(labels: Labels, people: People, person: int | None) -> NDArray[np.int64]:
    """Return the rows of the cluster with the most faces of the person. If several have as many, the first is taken.

    person: the number of the person. None takes the largest cluster.
    Raises DatasetError if there is no cluster, or if no cluster has a face of the person.
    """
    candidates = labels[labels >= 0] if person is None else labels[(labels >= 0) & (people == person)]
    if not candidates.size:
        raise DatasetError(
            "There is no cluster to show: no face was found, or no two faces are similar. Give other photographs, or a "
            "higher --threshold."
        )
    return np.flatnonzero(labels == np.bincount(candidates).argmax())
