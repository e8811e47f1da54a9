"""Published networks of several conventions. They are small, and their weights are random."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

SIDE_PX, CHANNELS, DIMENSION = 16, 4, 8
Publish = Callable[..., Path]


@dataclass(frozen=True, kw_only=True)
class Publication:
    """A network of one convolution and one matrix, as an exporter writes it.

    channels_first: the layout of the input. sizes: of its height and width; a name stands for any size.
    batch: of the input. A number is also in the shape of the last node. lists_weights: as inputs, as old exporters do.
    """

    channels_first: bool = True
    sizes: tuple[int | str, int | str] = (SIDE_PX, SIDE_PX)
    batch: int | str = 1
    opset: int = 11
    lists_weights: bool = False
    element_type: int = TensorProto.FLOAT
    more_outputs: tuple[str, ...] = ()

    def write(self, path: Path) -> Path:
        weights = self._weights()
        inputs = [self._image()]
        if self.lists_weights:
            inputs += [
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
                for name, array in weights.items()
            ]
        shapes = {"features": [self.batch, DIMENSION], "maps": [self.batch, CHANNELS, SIDE_PX, SIDE_PX]}
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name])
            for name in ("features", *self.more_outputs)
        ]
        tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
        graph = helper.make_graph(self._nodes(), "published", inputs, outputs, tensors)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=6), path)
        return path

    def _image(self) -> ValueInfoProto:
        shape = [self.batch, 3, *self.sizes] if self.channels_first else [self.batch, *self.sizes, 3]
        return helper.make_tensor_value_info("image", self.element_type, shape)

    def _nodes(self) -> list[NodeProto]:
        """Return the nodes. Some values have names that the project gives to its own."""
        first = "image" if self.channels_first else "channels_first"
        turned = [] if self.channels_first else [helper.make_node("Transpose", ["image"], [first], perm=[0, 3, 1, 2])]
        return [
            *turned,
            helper.make_node("Conv", [first, "kernel"], ["maps"], pads=[1, 1, 1, 1]),
            helper.make_node("PRelu", ["maps", "slope"], ["crops"]),
            helper.make_node("Dropout", ["crops"], ["kept"]),
            helper.make_node("Flatten", ["kept"], ["flat"]),
            helper.make_node("MatMul", ["flat", "matrix"], ["mean"]),
            helper.make_node("Reshape", ["mean", "shape"], ["features"]),
        ]

    def _weights(self) -> dict[str, np.ndarray]:
        random = np.random.default_rng(0)
        return {
            "kernel": random.normal(size=(CHANNELS, 3, 3, 3)).astype(np.float32),
            "slope": random.uniform(0.1, 0.4, (CHANNELS, 1, 1)).astype(np.float32),
            "matrix": random.normal(size=(CHANNELS * SIDE_PX**2, DIMENSION)).astype(np.float32),
            "shape": np.array([self.batch if isinstance(self.batch, int) else -1, DIMENSION], np.int64),
        }


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    """Return a function that writes a `Publication` with these changes, and returns its path."""
    return lambda **changes: Publication(**changes).write(tmp_path / "published.onnx")
