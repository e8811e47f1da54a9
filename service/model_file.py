"""A model is one ONNX file and nothing beside it: its session, its sha256, and its card (`service/card.py`).

The card is JSON in the file's `metadata_props["card"]`.
"""

import hashlib
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Generic, Literal, TypeVar

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime reports to its makers by default; read at import, so set first

import onnxruntime as ort
from pydantic import ValidationError

from service.card import CARD, Card, DetectorCard, EmbedderCard, LandmarksCard, Shape, Tensors
from service.errors import ModelFileError, ProviderUnavailable

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
ProviderName = Literal["cpu", "cuda", "tensorrt", "openvino"]


C = TypeVar("C", EmbedderCard, DetectorCard, LandmarksCard)


@dataclass(frozen=True, slots=True, eq=False)
class ModelFile(Generic[C]):
    """An opened model: the session's `run` is thread-safe."""

    card: C
    sha256: str
    session: ort.InferenceSession


def open_model(
    path: Path, role: type[C], provider: ProviderName, threads: int, sha256: str | None = None
) -> ModelFile[C]:
    """Opens the file and validates its card, which must be of the given role and say what the graph takes and gives.

    sha256: what the file must have, where it is known. threads: of one call. Raises ModelFileError or
    ProviderUnavailable, whose messages are for the operator.
    """
    found = _sha256(path)
    if sha256 is not None and found != sha256:
        raise ModelFileError(
            f"{path} is damaged or of another version (sha256 {found[:16]}..., expected {sha256[:16]}...). "
            f"Run: facenet-models pull {path.stem} --force"
        )
    session = _session(path, provider, threads)
    card = _card(path, session)
    if not isinstance(card, role):
        wanted = role.model_fields["role"].default
        raise ModelFileError(f"{path} is of the role {card.role}; a model of the role {wanted} is needed here.")
    _check_tensors(path, session.get_inputs(), "tensor(uint8)", card.inputs)
    _check_tensors(path, session.get_outputs(), "tensor(float)", card.outputs)
    return ModelFile(card, found, session)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise ModelFileError(f"{path} is missing. Run: facenet-models pull {path.stem}") from None
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror}).") from None


def _session(path: Path, provider: ProviderName, threads: int) -> ort.InferenceSession:
    _require(provider)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning costs 5 ms of CPU an image and takes a third of the throughput where several sessions share the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(path, options, providers=[PROVIDERS[provider]])
    except Exception as error:  # ONNX Runtime has no public root of its own for what a bad file raises
        raise ModelFileError(
            f"{path} is not a model that ONNX Runtime can open ({type(error).__name__}). "
            f"Run: facenet-models pull {path.stem} --force"
        ) from error
    if session.get_providers()[0] != PROVIDERS[provider]:
        raise ProviderUnavailable(
            f"The provider {provider} is installed but did not start; the lines above say why. A GPU needs NVIDIA's "
            "driver, 580 or newer, and a container has to be given it (docker run --gpus all). "
            "Or set FACE_INFERENCE__PROVIDER=cpu."
        )
    return session


def _require(provider: ProviderName) -> None:
    check_wheels({package.name for package in metadata.distributions()})
    if PROVIDERS[provider] not in ort.get_available_providers():
        raise ProviderUnavailable(
            f"This installation of ONNX Runtime has no {provider} provider. Install locks/gpu.txt for cuda, "
            "or set FACE_INFERENCE__PROVIDER=cpu."
        )
    if provider == "cuda":
        ort.preload_dlls()  # the CUDA and cuDNN of the pip wheels, so that the machine needs a driver only


def check_wheels(installed: Collection[str]) -> None:
    """installed: names of packages. Raises ProviderUnavailable where two ONNX Runtimes are in each other's way."""
    if {"onnxruntime", "onnxruntime-gpu"} <= set(installed):
        raise ProviderUnavailable(
            "onnxruntime and onnxruntime-gpu are both installed, which disables CUDA without a word. Run: "
            "pip uninstall -y onnxruntime onnxruntime-gpu, then: pip install --require-hashes -r locks/gpu.txt"
        )


def _card(path: Path, session: ort.InferenceSession) -> Card:
    text = session.get_modelmeta().custom_metadata_map.get("card")
    if text is None:
        raise ModelFileError(f"{path} has no card. Convert it with facenet-models, which writes one.")
    try:
        return CARD.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelFileError(f"The card of {path} is not valid: {where}: {first['msg']}.") from None


def _check_tensors(path: Path, found: Sequence[ort.NodeArg], element: str, promised: Tensors) -> None:
    """What the card promises of the graph's inputs, or outputs, against what the graph says itself."""
    there = {tensor.name: (tensor.type, tensor.shape) for tensor in found}
    for name, shape in promised.items():
        kind, sizes = there.get(name, ("nothing", []))
        if kind != element or not _fits(sizes, shape):
            raise ModelFileError(
                f"The card of {path} promises {name} as {element} of {_written(shape)}, and its graph has {kind} of "
                f"{_written(sizes)}. Run: facenet-models pull {path.stem} --force"
            )


def _fits(sizes: Sequence[int | str | None], shape: Shape) -> bool:
    """ONNX Runtime gives a name, or None, for what may be any number."""
    found = tuple(size if isinstance(size, int) else None for size in sizes)
    return found == shape


def _written(shape: Sequence[int | str | None]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"
