"""Pairs of LFW that are turned, also upside down: do strangers match, and is a person still recognised?

Networks that were trained on upright faces find something in a face that is upside down, and its embedding is then
worthless. The pairs are drawn from LFW's list, as many mated as non-mated. A pair with a photograph in which no face is
found is not verified.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.errors import DatasetError
from models.evaluation.data.identities import SEED
from models.evaluation.data.pairs import PairList
from models.evaluation.embedding.crops import embed_crops
from models.evaluation.experiments import lfw
from models.evaluation.photographs.composites import read_pixels, to_jpeg
from models.evaluation.reports.report import Row, new_figure
from service.domain.distances import Distances, paired_squared_l2
from service.domain.embedding import Embeddings
from service.domain.face import Crops
from service.domain.image import Pixels
from service.model_files.card import Thresholds
from service.pipeline.detection.quarter_turns import turn
from service.pipeline.extraction import FaceExtractor
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor
from service.pipeline.selection import main_face

TURNS_DEG = (0, 90, 120, 150, 180, 270)
"""Counterclockwise. The first is upright."""


@dataclass(frozen=True, slots=True, eq=False)
class TurnedPairs:
    """The distances of the same pairs in each turn. A distance is infinite if a photograph has no face.

    turns_deg: the turns, k of them. The first is 0.
    thresholds: those of the card, by name, squared L2. "verification" is one of them.
    same: (n,) bool, whether a pair is mated.
    both: (k, n) float32, both photographs are turned.
    one: (k, n) float32, the second photograph is turned, and the first is upright.
    without_face: in how many photographs no face is found, in each turn.
    """

    turns_deg: tuple[int, ...]
    thresholds: dict[str, float]
    same: NDArray[np.bool_]
    both: NDArray[np.float32]
    one: NDArray[np.float32]
    without_face: tuple[int, ...]

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        header = (
            "turned by",
            "photographs without a face",
            *(f"non-mated pairs below {threshold:g}" for threshold in self.thresholds.values()),
            "mated pairs that are still verified, both turned",
            "one turned",
        )
        columns = zip(*self._non_mated_rates().values(), *self._mated_rates().values(), strict=True)
        measured = zip(self.turns_deg, self.without_face, columns, strict=True)
        return [
            header,
            *(
                (f"{turn}°", f"{missing}", *(f"{100 * rate:.1f} %" for rate in rates))
                for turn, missing, rates in measured
            ),
        ]

    def numbers(self) -> dict[str, object]:
        """Return the rates in each turn, and how many pairs there are."""
        return {
            "mated_pairs": int(self.same.sum()),
            "non_mated_pairs": int((~self.same).sum()),
            "mated_pairs_verified_upright": int(self._verified_upright.sum()),
            "thresholds_sq_l2": self.thresholds,
            "turns_deg": self.turns_deg,
            "photographs_without_face": self.without_face,
            "non_mated_below_threshold": self._non_mated_rates(),
            "mated_still_verified": self._mated_rates(),
        }

    def draw(self) -> Figure:
        """Draw the shares of verified pairs against the turn."""
        figure = new_figure()
        axes = figure.subplots()
        mated = {f"mated, {turned}": rates for turned, rates in self._mated_rates().items()}
        for label, rates in (mated | {"non-mated, both turned": self._non_mated_rates()["verification"]}).items():
            axes.plot(self.turns_deg, [100 * rate for rate in rates], marker="o", label=label)
        axes.set(xlabel="turned by (degrees, counterclockwise)", ylabel="verified pairs (%)", xticks=self.turns_deg)
        axes.set_ylim(-3, 103)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(loc="center left")
        return figure

    @property
    def _verified_upright(self) -> NDArray[np.bool_]:
        return np.asarray(self.same & (self.both[0] < self.thresholds["verification"]), bool)

    def _non_mated_rates(self) -> dict[str, list[float]]:
        """Return the share of the non-mated pairs below each threshold, for each turn. Both photographs are turned."""
        return {name: _share_below(self.both[:, ~self.same], d) for name, d in self.thresholds.items()}

    def _mated_rates(self) -> dict[str, list[float]]:
        """Return the share of the mated pairs verified upright that are verified turned, for each turn."""
        pairs, threshold = self._verified_upright, self.thresholds["verification"]
        distances = {"both turned": self.both, "one turned": self.one}
        return {turned: _share_below(rows[:, pairs], threshold) for turned, rows in distances.items()}


def evaluate_turned(
    options: PipelineOptions,
    images: Path,
    pair_list: PairList,
    done: Callable[[], object],
    turns_deg: tuple[int, ...] = TURNS_DEG,
) -> TurnedPairs:
    """Embed the photographs of the list in each turn, and compare the pairs.

    images: the folder that holds NAME/NAME_0001.jpg, ...
    done: called after each photograph in each turn.
    turns_deg: the first must be 0.
    Raises DatasetError if a photograph is missing or cannot be used.
    """
    files = lfw.find_photographs(images, pair_list)
    embedder = open_embedder(options)
    extractor = open_face_extractor(options, embedder.card)

    def embed(degrees: int) -> Embeddings:
        """Return (m, d) float32, row by row of `files`. A row without a face is not a number."""
        with ThreadPoolExecutor(options.threads) as pool:
            crops = list(pool.map(partial(_cut_turned_face, extractor, degrees, done), files))
        embeddings = np.full((len(files), embedder.card.dimension), np.nan, np.float32)
        rows = [row for row, crop in enumerate(crops) if len(crop)]
        if rows:
            embeddings[rows] = embed_crops(embedder, np.concatenate(crops), options.threads)
        return embeddings

    turned = [embed(degrees) for degrees in turns_deg]
    left, right = pair_list.left, pair_list.right
    return TurnedPairs(
        turns_deg=turns_deg,
        thresholds=_named_thresholds(embedder.card.thresholds),
        same=pair_list.same,
        both=np.stack([_compare(embeddings[left], embeddings[right]) for embeddings in turned]),
        one=np.stack([_compare(turned[0][left], embeddings[right]) for embeddings in turned]),
        without_face=tuple(int(np.isnan(embeddings[:, 0]).sum()) for embeddings in turned),
    )


def draw_pairs(pair_list: PairList, count: int) -> PairList:
    """Draw this number of mated pairs and of non-mated pairs. The draw is the same in every call.

    Raises DatasetError if the list has fewer.
    """
    rng = np.random.default_rng(SEED)
    rows: list[int] = []
    for same in (True, False):
        candidates = np.flatnonzero(pair_list.same == same)
        if len(candidates) < count:
            kind = "mated" if same else "non-mated"
            raise DatasetError(f"The list has {len(candidates)} {kind} pairs, and {count} are needed.")
        rows += sorted(rng.choice(candidates, count, replace=False).tolist())
    ends = [(pair_list.images[pair_list.left[row]], pair_list.images[pair_list.right[row]]) for row in rows]
    return PairList.from_ends(ends, pair_list.same[rows], pair_list.folds[rows])


def turn_picture(pixels: Pixels, degrees: int) -> Pixels:
    """Turn a picture counterclockwise. Quarter turns keep every pixel. In other turns, the corners become black."""
    quarter_turns, rest = divmod(degrees, 90)
    if rest == 0:
        return turn(pixels, quarter_turns)
    height, width = pixels.shape[:2]
    rotation = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(pixels, rotation, (width, height), flags=cv2.INTER_LINEAR), np.uint8)


def _named_thresholds(thresholds: Thresholds) -> dict[str, float]:
    """Return the thresholds of a card for two faces. Not every card has one for identification."""
    named = {"verification": thresholds.verification}
    if thresholds.identification is not None:
        named["identification"] = thresholds.identification.threshold_sq_l2
    return named


def _cut_turned_face(extractor: FaceExtractor, degrees: int, done: Callable[[], object], file: Path) -> Crops:
    """Return the crop of the main face of the turned photograph, (1, h, w, 3), or (0, h, w, 3) without a face."""
    turned = turn_picture(read_pixels(file, extractor.max_pixels), degrees)
    crops = extractor.extract(to_jpeg(turned), main_face).crops
    done()
    return crops


def _compare(left: Embeddings, right: Embeddings) -> Distances:
    """Return the distance of each pair, (n,). It is infinite if one of the two has no face."""
    distances = paired_squared_l2(left, right)
    return np.where(np.isnan(distances), np.float32(np.inf), distances)


def _share_below(distances: NDArray[np.float32], threshold: float) -> list[float]:
    """Return the share of the pairs below a threshold in each turn. distances: (k, n) for k turns and n pairs."""
    below = (distances < threshold).sum(axis=1) / max(1, distances.shape[1])
    return [float(share) for share in below]
