"""One person's cluster as a picture (FaceNet, section 5.8, Figure 7).

The photographs of a folder of identities are grouped by the very clusterer that serves, and one of the groups is shown:
the one that holds most of a person's photographs, or the largest.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from models.embedding import embed_files
from models.errors import DatasetError
from models.evaluation import sheet
from models.evaluation.clustering import People, pairwise_f
from models.evaluation.identities import Identities
from models.evaluation.report import Row
from models.evaluation.sheet import Section, Tile
from service.clusterers.base import Clusterer, Labels
from service.domain import Crops
from service.pipeline import PipelineOptions

COLUMNS = 10


@dataclass(frozen=True, slots=True)
class Grouped:
    """Where a cluster stands among the photographs that were grouped.

    person: who was asked for, or whose photographs it holds most of. own: how many of its photographs are theirs.
    of_person: how many of theirs were grouped. f: pairwise, of the whole grouping.
    """

    person: str
    own: int
    of_person: int
    faces: int
    clusters: int
    f: float


@dataclass(frozen=True, slots=True, eq=False)
class OneCluster:
    """The photographs of a cluster and their crops, (n, h, w, 3) uint8, row by row; whose each is."""

    files: tuple[Path, ...]
    people: tuple[str, ...]
    crops: Crops
    grouped: Grouped

    @property
    def purity(self) -> float:
        """The share of the cluster that is of the person."""
        return self.grouped.own / len(self.files)

    @property
    def found(self) -> float:
        """The share of the person's photographs that is in the cluster."""
        return self.grouped.own / self.grouped.of_person

    def rows(self) -> list[Row]:
        """What the table shows; the first names the columns."""
        grouped = self.grouped
        return [
            (f"{grouped.faces} faces in {grouped.clusters} clusters", grouped.person),
            ("photographs in the cluster", f"{len(self.files)}"),
            ("purity", f"{100 * self.purity:.1f} % ({grouped.own} of {len(self.files)})"),
            ("of the person's photographs", f"{100 * self.found:.1f} % ({grouped.own} of {grouped.of_person})"),
            ("pairwise F of all clusters", f"{grouped.f:.3f}"),
        ]

    def figures(self) -> dict[str, object]:
        """The numbers by name, and what is in the cluster."""
        return {
            "person": self.grouped.person,
            "size": len(self.files),
            "purity": self.purity,
            "found": self.found,
            "faces": self.grouped.faces,
            "clusters": self.grouped.clusters,
            "pairwise_f": self.grouped.f,
            "members": [f"{file.parent.name}/{file.name}" for file in self.files],
        }

    def draw(self) -> Figure:
        """All of its faces, the person's own first; the others by name."""
        own = [person == self.grouped.person for person in self.people]
        order = sorted(range(len(own)), key=lambda row: (not own[row], row))
        tiles = [Tile(self.crops[row], self._caption(row)) for row in order]
        title = (
            f"{self.grouped.person}: {len(self.files)} photographs in one cluster, purity {100 * self.purity:.1f} %, "
            f"{100 * self.found:.1f} % of the person's photographs"
        )
        height, width = self.crops.shape[1:3]
        return sheet.draw([Section(title, tuple(tiles))], COLUMNS, (height, width))

    def _caption(self, row: int) -> str:
        return "" if self.people[row] == self.grouped.person else self.people[row]


def evaluate(
    options: PipelineOptions,
    identities: Identities,
    clusterer: Clusterer,
    person: str | None,
    done: Callable[[], object],
) -> OneCluster:
    """Embeds the photographs, groups them, and shows one cluster. `done` is called after each photograph.

    person: whose cluster; None for the largest. Raises DatasetError where nobody has the name, or no face is found.
    """
    if person is not None and person not in identities.names:
        raise DatasetError(f"The folder has no photograph of {person}. Give the name of one of its folders.")
    embeddings, rows = embed_files(options, identities.files, done)
    people = identities.people[rows]
    labels = clusterer.cluster(embeddings, np.arange(len(rows)))
    members = choose(labels, people, None if person is None else identities.names.index(person))
    files = tuple(identities.files[rows[row]] for row in members)
    whose = tuple(identities.names[one] for one in people[members])
    of_all = [identities.names[one] for one in people]
    shown = person or Counter(whose).most_common(1)[0][0]
    grouped = Grouped(
        person=shown,
        own=whose.count(shown),
        of_person=of_all.count(shown),
        faces=len(labels),
        clusters=int(labels.max()) + 1,
        f=pairwise_f(labels, people),
    )
    return OneCluster(files, whose, sheet.look(options, files), grouped)


def choose(labels: Labels, people: People, person: int | None) -> People:
    """The rows of the cluster with most of the person's faces, or of the largest; of equals the first.

    Raises DatasetError where there is none.
    """
    candidates = labels[labels >= 0] if person is None else labels[(labels >= 0) & (people == person)]
    if not candidates.size:
        raise DatasetError("There is no cluster to show: no face was found, or none is like another.")
    return np.flatnonzero(labels == np.bincount(candidates).argmax())
