"""TensorFlow's frozen graphs (`GraphDef`), read without TensorFlow.

Field numbers are those of tensorflow/core/framework/{graph,node_def,attr_value,tensor,tensor_shape}.proto; the wire
format is protobuf's (https://protobuf.dev/programming-guides/encoding).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

DTYPES = {1: np.dtype("<f4"), 3: np.dtype("<i4")}


@dataclass(slots=True)
class Message:
    """A protobuf message's fields by number, each in the order of the bytes: plain numbers, and slices."""

    numbers: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    slices: defaultdict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. inputs: names of nodes, without the control inputs."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: dict[str, Message]

    def text(self, name: str) -> str:
        """An attribute that is a string."""
        return self.attributes[name].slices[2][0].decode()

    def real(self, name: str) -> float:
        """An attribute that is a number."""
        return float(np.frombuffer(self.attributes[name].slices[4][0], "<f4")[0])

    def integers(self, name: str) -> list[int]:
        """An attribute that is a list of integers, such as strides."""
        (listed,) = self.attributes[name].slices[1]
        return list(_varints(_message(listed).slices[3][0]))

    def tensor(self) -> NDArray[np.generic]:
        """The value of a Const."""
        return _tensor(_message(self.attributes["value"].slices[8][0]))


def read(data: bytes) -> list[Node]:
    """The graph's nodes in the file's order. Raises ValueError for what is not a GraphDef."""
    return [_node(_message(one)) for one in _message(data).slices[1]]


def _node(message: Message) -> Node:
    attributes = [_message(one).slices for one in message.slices[5]]
    inputs = (one.decode() for one in message.slices[3])
    return Node(
        name=message.slices[1][0].decode(),
        op=message.slices[2][0].decode(),
        inputs=tuple(name.removesuffix(":0") for name in inputs if not name.startswith("^")),
        attributes={key.decode(): _message(value) for [key], [value] in ((one[1], one[2]) for one in attributes)},
    )


def _tensor(message: Message) -> NDArray[np.generic]:
    """The values lie as raw bytes, or packed one by one, where a single one fills the tensor."""
    dtype = DTYPES[message.numbers[1][0]]
    shape = [_message(one).numbers[1][0] for one in _message(message.slices[2][0]).slices[2]]
    if message.slices[4]:
        return np.frombuffer(message.slices[4][0], dtype).reshape(shape)
    if dtype.kind == "f":
        values = np.frombuffer(message.slices[5][0], dtype)
    else:
        values = np.array(list(_varints(message.slices[7][0])), np.uint64).astype(dtype)
    return values.reshape(shape) if values.size == np.prod(shape) else np.full(shape, values[0])


def _message(data: bytes) -> Message:
    message, at = Message(), 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            message.numbers[number].append(value)
            continue
        if wire == 2:
            size, at = _varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(wire, len(data))
        if at + size > len(data):
            raise ValueError("not a GraphDef, or cut off")
        message.slices[number].append(data[at : at + size])
        at += size
    return message


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Seven bits a byte, the lowest first; the eighth says that more follow. Returns the number and what is behind."""
    value = shift = 0
    while True:
        if at == len(data):
            raise ValueError("not a GraphDef, or cut off")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _varints(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value
