"""In which precision an embedder computes: float32, int8, float16 or bfloat16.

The precision says how the numbers of the embedder are computed, and not which model it is. So the embedder keeps its
card and its id in every precision, and a gallery stays usable when the precision changes. For int8, this needs a file
whose card names the embedder under `compatible_with`: the distances between the two were then measured.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import structlog

from service.domain.command_errors import ModelFileError, ProviderUnavailable
from service.domain.face import Crops
from service.model_files.card import EmbedderCard
from service.model_files.catalogue import ModelSource
from service.model_files.execution.options import Execution, Numbers
from service.model_files.model_file import ModelFile, open_model
from service.pipeline.embedders.bound import BoundEmbedder
from service.pipeline.embedders.onnx import OnnxEmbedder

_log = structlog.stdlib.get_logger("service.precision")

PrecisionName = Literal["auto", "float32", "int8", "float16", "bfloat16"]

MIN_COSINE = 0.95
"""The least cosine to float32 on each drawn crop. Below it, this machine does not compute the precision correctly."""

MAX_TIME_RATIO = 0.9
"""int8 is chosen if it needs at most this share of the time of float32."""

ROUNDS = 5
"""How often each precision is timed, in turns. The shortest time of each counts."""

FACE = {
    (0.5, 0.5, 0.33, 0.45): 1.0,
    (0.34, 0.46, 0.08, 0.04): 0.4,
    (0.66, 0.46, 0.08, 0.04): 0.4,
    (0.5, 0.82, 0.15, 0.04): 0.6,
}
"""The ovals of a drawn face: (x, y, half width, half height) as shares of the crop, and how light each is."""

CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class PrecisionOptions:
    """Which file is opened, and how it is run.

    embedder: the file in float32.
    int8: the same embedder in int8. None if the catalogue has none.
    """

    embedder: ModelSource
    int8: ModelSource | None
    execution: Execution

    def open(self, source: ModelSource, numbers: Numbers = "float32") -> ModelFile[EmbedderCard]:
        """Open one of the two files. Raises StartupError."""
        return open_model(source.path, EmbedderCard, replace(self.execution, numbers=numbers), source.sha256)


def open_float32(options: PrecisionOptions) -> OnnxEmbedder:
    """Open the file of the embedder. Raises StartupError."""
    return _open(options, "float32")


def open_int8(options: PrecisionOptions) -> OnnxEmbedder:
    """Open the embedder in int8, with the card of the embedder.

    Raises StartupError, also if the file in int8 is missing, or does not belong to the embedder.
    """
    if options.int8 is None:
        raise ModelFileError(
            f"There is no int8 file of {options.embedder.path.stem}. Set FACE_INFERENCE__PRECISION=float32."
        )
    if options.execution.provider != "cpu":
        raise ProviderUnavailable("int8 is for the provider cpu. Set FACE_INFERENCE__PRECISION=float32.")
    return _with_card_of(open_float32(options), options.int8, options)


def open_float16(options: PrecisionOptions) -> OnnxEmbedder:
    """Open the embedder in TensorRT, which computes in float16, and compare it with float32 on the CPU.

    Raises StartupError, also if a number of this network is too large for float16.
    """
    if options.execution.provider != "tensorrt":
        raise ProviderUnavailable(
            "float16 needs TensorRT. Set FACE_INFERENCE__PROVIDER=tensorrt, or FACE_INFERENCE__PRECISION=float32."
        )
    float16 = _open(options, "float16")
    reference = open_float32(replace(options, execution=Execution()))
    cosine = least_cosine(reference, float16, draw_crops(reference.card))
    if not cosine >= MIN_COSINE:  # a cosine may be not a number
        raise ProviderUnavailable(
            f"{float16.card.name} computes something else in float16 (a cosine of {cosine:.2f} to float32). "
            "Set FACE_INFERENCE__PRECISION=float32."
        )
    return float16


def open_bfloat16(options: PrecisionOptions) -> OnnxEmbedder:
    """Open the embedder in OpenVINO, which computes in bfloat16 on a processor that can. Raises StartupError."""
    if options.execution.provider != "openvino":
        raise ProviderUnavailable(
            "bfloat16 needs OpenVINO. Install locks/openvino.txt (make run TARGET=openvino), and set "
            "FACE_INFERENCE__PROVIDER=openvino. Or set FACE_INFERENCE__PRECISION=float32."
        )
    if not _processor_has_bfloat16():
        raise ProviderUnavailable(
            "This processor does not compute in bfloat16 (it has neither avx512_bf16 nor amx_bf16). "
            "Set FACE_INFERENCE__PRECISION=float32."
        )
    return _open(options, "bfloat16")


def open_fastest(options: PrecisionOptions) -> OnnxEmbedder:
    """Open the embedder in int8 if this CPU is faster with it, and the embeddings agree. Otherwise in float32.

    The choice and its reason are logged. Raises StartupError.
    """
    if options.execution.provider != "cpu":
        return _in_float32(options, "int8 is for the provider cpu")
    if options.int8 is None:
        return _in_float32(options, "the embedder has no int8 file in the catalogue")
    if not options.int8.path.exists():
        return _in_float32(options, f"{options.int8.path} is missing: facenet-models pull {options.int8.path.stem}")
    float32 = open_float32(options)
    int8 = _with_card_of(float32, options.int8, options)
    cosine, time_ratio = compare(float32, int8)
    measured = {"cosine": round(cosine, 4), "time_ratio": round(time_ratio, 2)}
    if cosine >= MIN_COSINE and time_ratio <= MAX_TIME_RATIO:
        _log.info(
            "precision_chosen",
            precision="int8",
            reason="it is faster, and its embeddings agree with float32",
            **measured,
        )
        return int8
    reason = (
        "the embeddings of int8 do not agree with float32 here" if cosine < MIN_COSINE else "int8 is not faster here"
    )
    _log.info("precision_chosen", precision="float32", reason=reason, **measured)
    return float32


OPENERS: dict[PrecisionName, Callable[[PrecisionOptions], OnnxEmbedder]] = {
    "auto": open_fastest,
    "float32": open_float32,
    "int8": open_int8,
    "float16": open_float16,
    "bfloat16": open_bfloat16,
}
"""How an embedder is opened, by the value of FACE_INFERENCE__PRECISION."""


def _open(options: PrecisionOptions, numbers: Numbers) -> OnnxEmbedder:
    file = options.open(options.embedder, numbers)
    return BoundEmbedder(file, "cuda", options.execution.max_batch) if options.execution.on_gpu else OnnxEmbedder(file)


def _with_card_of(float32: OnnxEmbedder, int8: ModelSource, options: PrecisionOptions) -> OnnxEmbedder:
    """Open the file in int8, with the card of the embedder. Raises StartupError if it does not belong to it."""
    card, file = float32.card, options.open(int8)
    if file.card.compatible_model(card.id) is None:
        raise ModelFileError(
            f"{int8.path} was not made from {options.embedder.path}. "
            f"Run: facenet-models pull {card.name} {file.card.name} --force"
        )
    return OnnxEmbedder(ModelFile(card, file.sha256, file.session))


def _in_float32(options: PrecisionOptions, reason: str) -> OnnxEmbedder:
    _log.info("precision_chosen", precision="float32", reason=reason)
    return open_float32(options)


def compare(float32: OnnxEmbedder, int8: OnnxEmbedder) -> tuple[float, float]:
    """Return the least cosine between the two embedders on drawn crops, and the time of int8 over that of float32."""
    crops = draw_crops(float32.card)
    times = [(_seconds(float32, crops[:1]), _seconds(int8, crops[:1])) for _ in range(ROUNDS)]
    slow, fast = (min(column) for column in zip(*times, strict=True))
    return least_cosine(float32, int8, crops), fast / slow


def least_cosine(float32: OnnxEmbedder, other: OnnxEmbedder, crops: Crops) -> float:
    """Return the least cosine between the two embedders on these crops."""
    return float(np.einsum("nd,nd->n", float32.embed(crops), other.embed(crops)).min())


def _seconds(embedder: OnnxEmbedder, crops: Crops) -> float:
    start = time.perf_counter()
    embedder.embed(crops)
    return time.perf_counter() - start


def draw_crops(card: EmbedderCard) -> Crops:
    """Draw four simple faces: an oval with eyes and a mouth, in different shades. (4, h, w, 3) uint8.

    They are drawn, because the project keeps no photograph of a person.
    """
    alignment = card.alignment
    crops = np.full((4, alignment.height, alignment.width, 3), 60, np.uint8)
    for crop, shade in zip(crops, (90, 130, 170, 210), strict=True):
        for (x, y, across, down), part in FACE.items():
            centre = round(x * alignment.width), round(y * alignment.height)
            axes = round(across * alignment.width), round(down * alignment.height)
            colour = [shade * part * share for share in (1.0, 0.82, 0.72)]
            cv2.ellipse(crop, centre, axes, 0, 0, 360, colour, thickness=-1)
        crop[:] = cv2.GaussianBlur(crop, (0, 0), 2)
    return crops


def _processor_has_bfloat16() -> bool:
    try:
        flags = CPU_INFO.read_text("utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
