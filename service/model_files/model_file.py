"""Open a model file.

A model is one ONNX file. Its card is JSON in the file's `metadata_props["card"]`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import onnxruntime as ort
from pydantic import ValidationError

from service.domain.command_errors import ModelFileError, ProviderUnavailable
from service.model_files.card import (
    CARD_ADAPTER,
    Card,
    DetectorCard,
    EmbedderCard,
    LandmarksCard,
    Shape,
    TensorShapes,
    first_fault,
)
from service.model_files.contents import read_model
from service.model_files.execution.installed import create_engine_folder, describe_failed_start, require_provider
from service.model_files.execution.options import (
    PROVIDERS,
    Execution,
    Network,
    ProviderList,
    engine_folder,
    list_providers,
)

C = TypeVar("C", EmbedderCard, DetectorCard, LandmarksCard)


@dataclass(frozen=True, slots=True, eq=False)
class ModelFile(Generic[C]):
    """An opened model. The `run` method of the session is thread-safe."""

    card: C
    sha256: str
    session: ort.InferenceSession


def open_model(path: Path, role: type[C], execution: Execution, sha256: str | None = None) -> ModelFile[C]:
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
    session = _open_session(path, data, execution, actual)
    card = _read_card(path, session)
    if not isinstance(card, role):
        expected = role.model_fields["role"].default
        raise ModelFileError(f"{path} is of the role {card.role}; a model of the role {expected} is needed here.")
    _check_tensors(path, session.get_inputs(), "tensor(uint8)", card.inputs)
    _check_tensors(path, session.get_outputs(), "tensor(float)", card.outputs)
    return ModelFile(card, actual, session)


def _open_session(path: Path, data: bytes, execution: Execution, sha256: str) -> ort.InferenceSession:
    """Open the bytes that were checked, and not the path: another process may have replaced the file."""
    version = require_provider(execution.provider)
    network = Network(sha256, version, _input_shapes(path, data) if execution.builds_engines else {})
    folder = engine_folder(execution, network)
    if folder:
        create_engine_folder(folder)
    session = _start_session(path, data, execution, list_providers(execution, network))
    if session.get_providers()[0] != PROVIDERS[execution.provider]:
        raise ProviderUnavailable(describe_failed_start(execution.provider))
    return session


def _start_session(path: Path, data: bytes, execution: Execution, providers: ProviderList) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = execution.threads_per_call
    options.inter_op_num_threads = 1
    # Threads that spin while they wait cost 5 ms of CPU time for each image. If several sessions share the cores, they
    # cost a third of the throughput. Both were measured.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Otherwise ONNX Runtime also opens files of its own format, which were not checked.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(data, options, providers=providers)
    except Exception as error:  # ONNX Runtime has no public base class for the errors of a bad file
        raise ModelFileError(
            f"{path} is not a model that ONNX Runtime can open ({type(error).__name__}). "
            f"Run: facenet-models pull {path.stem} --force"
        ) from error
    session._model_bytes = None  # noqa: SLF001  # otherwise the session keeps a second copy of all weights
    return session


def _input_shapes(path: Path, data: bytes) -> TensorShapes:
    """Read the shapes of the inputs. The CPU opens every model, and builds nothing."""
    inputs = _start_session(path, data, Execution(), list_providers(Execution(), Network("", "", {}))).get_inputs()
    return {tensor.name: _sizes(tensor) for tensor in inputs}


def _read_card(path: Path, session: ort.InferenceSession) -> Card:
    text = session.get_modelmeta().custom_metadata_map.get("card")
    if text is None:
        raise ModelFileError(f"{path} has no card. Convert it with facenet-models, which writes one.")
    try:
        return CARD_ADAPTER.validate_json(text)
    except ValidationError as error:
        raise ModelFileError(f"The card of {path} is not valid: {first_fault(error)}.") from None


def _check_tensors(path: Path, actual: Sequence[ort.NodeArg], element_type: str, expected: TensorShapes) -> None:
    """Compare the inputs or outputs that the card describes with those of the graph."""
    by_name = {tensor.name: (tensor.type, _sizes(tensor)) for tensor in actual}
    for name, shape in expected.items():
        actual_type, actual_shape = by_name.get(name, ("nothing", ()))
        if actual_type != element_type or actual_shape != shape:
            raise ModelFileError(
                f"The card of {path} describes {name} as {element_type} of {_text(shape)}, but its graph has "
                f"{actual_type} of {_text(actual_shape)}. Run: facenet-models pull {path.stem} --force"
            )


def _sizes(tensor: ort.NodeArg) -> Shape:
    """Return the shape. ONNX Runtime gives a name, or None, for a size that may be any number."""
    return tuple(size if isinstance(size, int) else None for size in tensor.shape)


def _text(shape: Shape) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"
