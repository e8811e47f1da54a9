"""The published file: an ONNX network from aligned faces to embeddings, as somebody else has exported it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import onnx
import onnxruntime as ort
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, ValueInfoProto

from models.errors import AdoptionRefused
from models.release.adoption.convention import CHANNELS
from service.domain.embedding import Embeddings
from service.model_files.contents import ForbiddenContents, check_contents, read_file
from service.model_files.wire import MalformedMessage


@dataclass(frozen=True, slots=True)
class PublishedNetwork:
    """A network with one input of faces, and the output of its embeddings.

    image, features: the names of the input and the output.
    channels_first: whether the input is (n, 3, h, w). Otherwise it is (n, h, w, 3).
    height, width: of the input in pixels.
    """

    model: ModelProto
    image: str
    features: str
    channels_first: bool
    height: int
    width: int

    @classmethod
    def read(cls, file: Path, side_px: int | None = None, output: str | None = None) -> Self:
        """Read and check a file.

        side_px: the side of the input, if the file does not say it. output: the name of the output with the embeddings,
        if there are several.
        Raises AdoptionRefused if the file is no such network, or if something must be said. Raises ModelFileError
        if the file cannot be read, or is too large.
        """
        model = _read_model(file)
        image = _only_input(model)
        sizes = _sizes(image)
        channels_first = _channels_first(sizes)
        height, width = (size or side_px for size in (sizes[2:] if channels_first else sizes[1:3]))
        if height is None or width is None:
            raise AdoptionRefused("The file does not say the size of its input. Add it: --side 112")
        if side_px not in {None, height} or side_px not in {None, width}:
            raise AdoptionRefused(f"The input of the file has {width} x {height} pixels. Leave out --side {side_px}.")
        return cls(model, image.name, _output(model, output), channels_first, height, width)

    def embed(self, images: NDArray[np.float32]) -> Embeddings:
        """Run the published file, and scale its rows to unit length: (n, d) float32.

        images: (n, h, w, 3) float32, in the range and the colours of the network.
        Raises AdoptionRefused if ONNX Runtime cannot run it.
        """
        ordered = np.ascontiguousarray(images.transpose(0, 3, 1, 2) if self.channels_first else images)
        options = ort.SessionOptions()
        options.log_severity_level = 3  # old exporters list weights as inputs, and ONNX Runtime warns of each
        try:
            session = ort.InferenceSession(self.model.SerializeToString(), options, ["CPUExecutionProvider"])
            rows = [session.run([self.features], {self.image: image[np.newaxis]})[0] for image in ordered]
        except Exception as error:  # ONNX Runtime has no public base class for the errors of a bad file
            raise AdoptionRefused(f"ONNX Runtime cannot run the file ({type(error).__name__}).") from error
        features = np.stack([np.asarray(row, np.float32).ravel() for row in rows])
        embeddings: Embeddings = features / np.linalg.norm(features, axis=1, keepdims=True)
        return embeddings


def _read_model(file: Path) -> ModelProto:
    data = read_file(file)
    try:
        check_contents(data)
        model = onnx.load_model_from_string(data)
        onnx.checker.check_model(model)
    except ForbiddenContents as error:
        raise AdoptionRefused(f"{file.name} {error}") from None
    except (MalformedMessage, DecodeError, onnx.checker.ValidationError, ValueError):
        raise AdoptionRefused(f"{file.name} is no ONNX file, or it is damaged.") from None
    return model


def _only_input(model: ModelProto) -> ValueInfoProto:
    weights = {tensor.name for tensor in model.graph.initializer}  # old exporters list them as inputs too
    inputs = [one for one in model.graph.input if one.name not in weights]
    if len(inputs) != 1:
        raise AdoptionRefused(f"An embedder has one input, and this file has {len(inputs)}: {_names(inputs)}.")
    if inputs[0].type.tensor_type.elem_type != TensorProto.FLOAT:
        raise AdoptionRefused(f"The input {inputs[0].name} must be float32. Export the network in float32.")
    return inputs[0]


def _output(model: ModelProto, wanted: str | None) -> str:
    names = [one.name for one in model.graph.output]
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted not in names:
        raise AdoptionRefused(f"Name the output with the embeddings: --output {' or --output '.join(names)}")
    return wanted


def _channels_first(sizes: tuple[int | None, ...]) -> bool:
    if len(sizes) != 4 or CHANNELS not in {sizes[1], sizes[3]}:
        shape = ", ".join(str(size or "?") for size in sizes)
        raise AdoptionRefused(f"The input must be [n, 3, h, w] or [n, h, w, 3], and it is [{shape}].")
    return sizes[1] == CHANNELS


def _sizes(value: ValueInfoProto) -> tuple[int | None, ...]:
    """Return the shape. None stands for any size."""
    return tuple(size.dim_value or None for size in value.type.tensor_type.shape.dim)


def _names(values: list[ValueInfoProto]) -> str:
    return ", ".join(value.name for value in values) or "none"
