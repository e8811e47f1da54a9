"""Open a model file.

A model is one ONNX file. Its card is JSON in the file's `metadata_props["card"]`.
"""

import hashlib
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Generic, Literal, TypeVar

# ONNX Runtime sends usage data to its makers unless this is set. It reads the variable when it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# A model could otherwise bring options of its own, such as a file to write.
os.environ.pop("ORT_LOAD_CONFIG_FROM_MODEL", None)

import onnxruntime as ort
from pydantic import ValidationError

from service.domain.command_errors import ModelFileError, ProviderUnavailable
from service.model_files.card import CARD_ADAPTER, Card, DetectorCard, EmbedderCard, LandmarksCard, Shape, TensorShapes
from service.model_files.contents import read_model

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
ProviderName = Literal["cpu", "cuda", "tensorrt", "openvino"]
RUNTIMES = {"onnxruntime", "onnxruntime-gpu"}
"""The packages of ONNX Runtime. Only they are looked for: the names of all packages take a third of a second."""


C = TypeVar("C", EmbedderCard, DetectorCard, LandmarksCard)


@dataclass(frozen=True, slots=True, eq=False)
class ModelFile(Generic[C]):
    """An opened model. The `run` method of the session is thread-safe."""

    card: C
    sha256: str
    session: ort.InferenceSession


def open_model(
    path: Path, role: type[C], provider: ProviderName, threads_per_call: int, sha256: str | None = None
) -> ModelFile[C]:
    """Open a model file and check that its card fits its graph.

    role: the type of card that the model must have.
    sha256: the checksum that the file must have. None if it is not known.
    Raises ModelFileError or ProviderUnavailable. Both messages are for the operator.
    """
    data = read_model(path)
    actual = hashlib.sha256(data).hexdigest()
    if sha256 is not None and actual != sha256:
        raise ModelFileError(
            f"{path} is damaged or of another version (sha256 {actual[:16]}..., expected {sha256[:16]}...). "
            f"Run: facenet-models pull {path.stem} --force"
        )
    session = _open_session(path, data, provider, threads_per_call)
    card = _read_card(path, session)
    if not isinstance(card, role):
        expected = role.model_fields["role"].default
        raise ModelFileError(f"{path} is of the role {card.role}; a model of the role {expected} is needed here.")
    _check_tensors(path, session.get_inputs(), "tensor(uint8)", card.inputs)
    _check_tensors(path, session.get_outputs(), "tensor(float)", card.outputs)
    return ModelFile(card, actual, session)


def _open_session(path: Path, data: bytes, provider: ProviderName, threads_per_call: int) -> ort.InferenceSession:
    """Open the bytes that were checked, and not the path: another process may have replaced the file."""
    _require_provider(provider)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads_per_call
    options.inter_op_num_threads = 1
    # Threads that spin while they wait cost 5 ms of CPU time for each image. If several sessions share the cores, they
    # cost a third of the throughput. Both were measured.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Otherwise ONNX Runtime also opens files of its own format, which were not checked.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(data, options, providers=[PROVIDERS[provider]])
    except Exception as error:  # ONNX Runtime has no public base class for the errors of a bad file
        raise ModelFileError(
            f"{path} is not a model that ONNX Runtime can open ({type(error).__name__}). "
            f"Run: facenet-models pull {path.stem} --force"
        ) from error
    session._model_bytes = None  # noqa: SLF001  # otherwise the session keeps a second copy of all weights
    if session.get_providers()[0] != PROVIDERS[provider]:
        raise ProviderUnavailable(
            f"The provider {provider} is installed but did not start; the lines above give the reason. A GPU needs "
            "NVIDIA's driver, 580 or newer, and a container must be given the GPU (docker run --gpus all). "
            "Or set FACE_INFERENCE__PROVIDER=cpu."
        )
    return session


def _require_provider(provider: ProviderName) -> None:
    check_installed_runtimes({name for name in RUNTIMES if any(metadata.distributions(name=name))})
    if PROVIDERS[provider] not in ort.get_available_providers():
        raise ProviderUnavailable(
            f"This installation of ONNX Runtime has no {provider} provider. Install locks/gpu.txt for cuda, "
            "or set FACE_INFERENCE__PROVIDER=cpu."
        )
    if provider == "cuda":
        ort.preload_dlls()  # use CUDA and cuDNN of the pip packages, so that the machine needs only a driver


def check_installed_runtimes(packages: Collection[str]) -> None:
    """Check that only one ONNX Runtime is installed. packages: the names of installed packages.

    Raises ProviderUnavailable. Two of them overwrite each other's files. CUDA is then off, and no message says so.
    """
    if set(packages) >= RUNTIMES:
        raise ProviderUnavailable(
            "onnxruntime and onnxruntime-gpu are both installed, which disables CUDA without a message. Run: "
            "pip uninstall -y onnxruntime onnxruntime-gpu, then: pip install --require-hashes -r locks/gpu.txt"
        )


def _read_card(path: Path, session: ort.InferenceSession) -> Card:
    text = session.get_modelmeta().custom_metadata_map.get("card")
    if text is None:
        raise ModelFileError(f"{path} has no card. Convert it with facenet-models, which writes one.")
    try:
        return CARD_ADAPTER.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ModelFileError(f"The card of {path} is not valid: {field}: {first['msg']}.") from None


def _check_tensors(path: Path, actual: Sequence[ort.NodeArg], element_type: str, expected: TensorShapes) -> None:
    """Compare the inputs or outputs that the card describes with those of the graph."""
    by_name = {tensor.name: (tensor.type, tensor.shape) for tensor in actual}
    for name, shape in expected.items():
        actual_type, actual_shape = by_name.get(name, ("nothing", []))
        if actual_type != element_type or not _has_shape(actual_shape, shape):
            raise ModelFileError(
                f"The card of {path} describes {name} as {element_type} of {_text(shape)}, but its graph has "
                f"{actual_type} of {_text(actual_shape)}. Run: facenet-models pull {path.stem} --force"
            )


def _has_shape(actual: Sequence[int | str | None], expected: Shape) -> bool:
    """ONNX Runtime gives a name, or None, for a size that may be any number."""
    return tuple(size if isinstance(size, int) else None for size in actual) == expected


def _text(shape: Sequence[int | str | None]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"
