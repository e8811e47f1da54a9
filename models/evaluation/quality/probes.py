"""Mated pairs of photographs: a reference, and a probe both as it is and degraded."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import DatasetError
from models.evaluation.data.identities import SEED, Identities
from models.evaluation.embedding.files import unusable_photograph
from models.evaluation.metrics.clustering import People
from models.evaluation.metrics.labelled_pairs import REPORTED_FMR, LabelledPairs
from models.evaluation.quality.degradations import degrade
from service.domain.distances import Distances, paired_squared_l2, squared_l2
from service.domain.embedding import Embeddings
from service.domain.errors import PhotographError
from service.domain.face import Face
from service.domain.quality import FaceQuality
from service.pipeline.decoding.decode import decode
from service.pipeline.embedders.base import Embedder
from service.pipeline.extraction import FaceExtractor
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor
from service.pipeline.quality import judge_faces
from service.pipeline.selection import main_face


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedFace:
    """The main face of a photograph, with its quality. embedding: (d,) float32."""

    face: Face
    embedding: NDArray[np.float32]

    @property
    def quality(self) -> FaceQuality:
        """The quality of the face."""
        if self.face.quality is None:
            raise ValueError("the face was not judged")
        return self.face.quality


@dataclass(frozen=True, slots=True, eq=False)
class PairOfOnePerson:
    """Two photographs of one person, the second in two versions. degraded: None if no face is found in it."""

    person: int
    reference: EmbeddedFace
    sharp: EmbeddedFace
    degraded: EmbeddedFace | None


@dataclass(frozen=True, slots=True, eq=False)
class JudgedProbes:
    """Probes, each with a reference of the same person, row by row.

    people: (n,) int64.
    references, probes: the faces.
    """

    people: People
    references: tuple[EmbeddedFace, ...]
    probes: tuple[EmbeddedFace, ...]

    @classmethod
    def sharp(cls, pairs: Sequence[PairOfOnePerson]) -> "JudgedProbes":
        """Take the probes as they are."""
        return cls._of([(pair.person, pair.reference, pair.sharp) for pair in pairs])

    @classmethod
    def degraded(cls, pairs: Sequence[PairOfOnePerson]) -> "JudgedProbes":
        """Take the degraded probes in which a face is found."""
        return cls._of([(pair.person, pair.reference, pair.degraded) for pair in pairs if pair.degraded])

    @classmethod
    def _of(cls, rows: Sequence[tuple[int, EmbeddedFace, EmbeddedFace]]) -> "JudgedProbes":
        if len({person for person, _, _ in rows}) < 2:
            raise DatasetError("Fewer than two people have two photographs with a face. Give more people.")
        people, references, probes = zip(*rows, strict=True)
        return cls(np.array(people, np.int64), references, probes)

    def mated_distances(self) -> Distances:
        """Return the distance of each probe to its reference, (n,) float32, squared L2."""
        return paired_squared_l2(stack_embeddings(self.references), stack_embeddings(self.probes))

    def threshold_sq_l2(self) -> float:
        """Return the threshold with FMR 1e-3 over all pairs of a reference and a probe of two people."""
        distances = squared_l2(stack_embeddings(self.references), stack_embeddings(self.probes))
        same = self.people[:, None] == self.people
        return LabelledPairs(distances[~same], np.zeros(np.count_nonzero(~same), bool)).threshold_at_fmr(REPORTED_FMR)

    def misses(self) -> NDArray[np.bool_]:
        """Return for each probe whether it does not match its reference at `threshold_sq_l2`, (n,) bool."""
        return self.mated_distances() >= self.threshold_sq_l2()


def stack_embeddings(faces: Sequence[EmbeddedFace]) -> Embeddings:
    """Return the embeddings of faces, (n, d) float32."""
    return np.stack([face.embedding for face in faces])


def embed_pairs(options: PipelineOptions, identities: Identities, done: Callable[[], object]) -> list[PairOfOnePerson]:
    """Pair each photograph of a person with the next one, degrade a copy of the second, and embed all.

    Pairs without a face in either photograph are left out. The degradation of a pair is the same in every call.
    done: called after each pair; there are `count_pairs(identities)`.
    Raises DatasetError for a file that cannot be read. Raises StartupError for models that cannot be opened.
    """
    embedder = open_embedder(options)
    measure = _PairEmbedder(open_face_extractor(options, embedder.card), embedder, done)
    with ThreadPoolExecutor(options.threads) as pool:
        found = pool.map(lambda pair: measure(*pair), enumerate(_pairs(identities)))
        return [pair for pair in found if pair is not None]


def count_pairs(identities: Identities) -> int:
    """Return how many pairs `embed_pairs` makes."""
    return sum(1 for _ in _pairs(identities))


def _pairs(identities: Identities) -> Iterator[tuple[int, Path, Path]]:
    """Return the person and the two files of each pair."""
    rows = zip(identities.people.tolist(), identities.files, strict=True)
    person, file = next(rows)
    for next_person, next_file in rows:
        if next_person == person:
            yield person, file, next_file
        person, file = next_person, next_file


@dataclass(frozen=True, slots=True)
class _PairEmbedder:
    """Embeds one pair after the other, in the calling thread."""

    extractor: FaceExtractor
    embedder: Embedder
    done: Callable[[], object]

    def __call__(self, number: int, pair: tuple[int, Path, Path]) -> PairOfOnePerson | None:
        person, *files = pair
        reference, sharp = (self._embed_file(file) for file in files)
        self.done()
        if reference is None or sharp is None:
            return None
        rng = np.random.default_rng((SEED, number))
        pixels = decode(files[1].read_bytes(), self.extractor.max_pixels).pixels
        return PairOfOnePerson(person, reference, sharp, self._embed(degrade(pixels, sharp.face.box, rng)))

    def _embed_file(self, file: Path) -> EmbeddedFace | None:
        try:
            return self._embed(file.read_bytes())
        except (OSError, PhotographError) as error:
            raise unusable_photograph(file, error) from None

    def _embed(self, data: bytes) -> EmbeddedFace | None:
        found = self.extractor.extract(data, main_face)
        if not found.faces:
            return None
        embeddings = self.embedder.embed(found.crops)
        (face,) = judge_faces(self.embedder.card.quality, found.faces, found.measures, embeddings)
        return EmbeddedFace(face, embeddings[0])
