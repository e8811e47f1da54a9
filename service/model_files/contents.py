"""What a model file may hold. It is checked before ONNX Runtime sees a byte of the file.

A model may come from a stranger. Its sha256 and its identity must cover all of it, so its weights must be inside of the
file. Its operators must be those of ONNX Runtime, and none of them may load another file.
"""

import os
import stat
from pathlib import Path

from service.domain.command_errors import ModelFileError
from service.model_files.wire import MalformedMessage, read_fields

MAX_FILE_BYTES = 2**30
"""NN1, the largest network of the paper, has 560 MB."""

MAX_FIELDS = 1_000_000
"""The zoo has at most 20,000 in a file. A tensor is one field, if its numbers are packed as usual."""

DOMAINS = frozenset({b"", b"ai.onnx", b"ai.onnx.ml", b"com.microsoft"})
"""The domains of the operators that ONNX Runtime brings along for models."""

LOADING_OPERATORS = frozenset({b"EPContext", b"Snpe", b"PythonOp"})
"""Operators of com.microsoft that run compiled code from another file or from inside of the model, in some builds."""

PARTS = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {},
}
"""Where a model can have nodes and tensors: the fields of each message, by number. Source: onnx.proto."""

TENSOR_EXTERNAL_DATA, TENSOR_DATA_LOCATION = 13, 14
NODE_OPERATOR, NODE_DOMAIN = 4, 7


def read_model(path: Path) -> bytes:
    """Return the bytes of a model file, after they were checked.

    Raises ModelFileError. The message is for the operator.
    """
    data = read_file(path)
    try:
        check_contents(data)
    except MalformedMessage:
        raise ModelFileError(
            f"{path} is not a model that ONNX Runtime can open (it is damaged, or no ONNX file). "
            f"Run: facenet-models pull {path.stem} --force"
        ) from None
    except ForbiddenContents as error:
        raise ModelFileError(f"{path} {error}") from None
    return data


def read_file(path: Path) -> bytes:
    """Read the whole file. A pipe, a device or a file that is too large is refused. Raises ModelFileError."""
    try:
        # The checks are of the opened file, so nobody can replace it between a check and the reading.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ModelFileError(f"{path} cannot be read (it is not a regular file).")
            if status.st_size > MAX_FILE_BYTES:
                raise ModelFileError(
                    f"{path} has {status.st_size:,} bytes. A model may have {MAX_FILE_BYTES:,}. Give another model."
                )
            return file.read(status.st_size)
    except FileNotFoundError:
        raise ModelFileError(f"{path} is missing. Run: facenet-models pull {path.stem}") from None
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror}).") from None


class ForbiddenContents(Exception):
    """The model holds something that the service does not load. The message continues a sentence about the file."""


def check_contents(data: bytes) -> None:
    """Check all nodes and tensors of a model, also those of subgraphs, functions and attributes.

    data: the bytes of an ONNX file. It takes one step for each field, whatever the size of the tensors.
    Raises ForbiddenContents or MalformedMessage.
    """
    waiting = [("ModelProto", memoryview(data))]
    fields = 0
    while waiting:
        kind, message = waiting.pop()
        for number, value in read_fields(message):
            fields += 1
            if fields > MAX_FIELDS:
                raise ForbiddenContents(f"has more than {MAX_FIELDS:,} fields. Save its weights as raw_data.")
            part = PARTS[kind].get(number)
            if part is None:
                _check_field(kind, number, value)
            elif isinstance(value, int):
                raise MalformedMessage("a number is where a message is expected")
            else:
                waiting.append((part, value))


def _check_field(kind: str, number: int, value: int | memoryview) -> None:
    if kind == "TensorProto" and (number == TENSOR_EXTERNAL_DATA or (number == TENSOR_DATA_LOCATION and value != 0)):
        raise ForbiddenContents(
            "has weights in another file (external data), which its sha256 does not cover. Save everything in one "
            "file: onnx.save_model(onnx.load(MODEL), MODEL, save_as_external_data=False)."
        )
    if kind == "NodeProto" and number == NODE_DOMAIN and _text(value) not in DOMAINS:
        raise ForbiddenContents(
            "has an operator that is not part of ONNX Runtime. Only the domains ai.onnx, ai.onnx.ml and com.microsoft "
            "are loaded. Convert the model without custom operators and without functions."
        )
    if kind == "NodeProto" and number == NODE_OPERATOR and _text(value) in LOADING_OPERATORS:
        raise ForbiddenContents(
            f"has the operator {_text(value).decode()}, which runs code that is not in the graph. Export the model "
            "without it."
        )


def _text(value: int | memoryview) -> bytes:
    """Return the first bytes of a text, as many as the longest known text has, and one more."""
    return b"\xff" if isinstance(value, int) else bytes(value[:32])
