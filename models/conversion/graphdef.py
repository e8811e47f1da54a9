"""Read frozen graphs of TensorFlow (`GraphDef`) without TensorFlow.

The field numbers are from tensorflow/core/framework/{graph,node_def,attr_value,tensor,tensor_shape}.proto. The wire
format is that of protobuf (https://protobuf.dev/programming-guides/encoding).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

DTYPES = {1: np.dtype("<f4"), 3: np.dtype("<i4")}
"""The type of a tensor by its number in types.proto: DT_FLOAT and DT_INT32."""

VARINT, LENGTH_DELIMITED = 0, 2
"""Wire types of protobuf."""

FIXED_SIZES = {1: 8, 5: 4}
"""The number of bytes of a value, for the wire types with a fixed size."""

NOT_A_GRAPH = "not a GraphDef, or cut off"


@dataclass(slots=True)
class Message:
    """The fields of a protobuf message, by field number. The values of a field are in the order of the bytes.

    numbers: of fields with a varint.
    slices: of fields with a length or a fixed size, such as strings, messages and floats.
    """

    numbers: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    slices: defaultdict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True)
class Node:
    """An operation of the graph. inputs: the names of other nodes, without the control inputs."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: dict[str, Message]

    def text(self, name: str) -> str:
        """Return an attribute that is a string."""
        return self.attributes[name].slices[2][0].decode()

    def number(self, name: str) -> float:
        """Return an attribute that is a float."""
        return float(np.frombuffer(self.attributes[name].slices[4][0], "<f4")[0])

    def integers(self, name: str) -> list[int]:
        """Return an attribute that is a list of integers, such as strides."""
        (list_value,) = self.attributes[name].slices[1]
        return list(_read_varints(_read_message(list_value).slices[3][0]))

    def tensor(self) -> NDArray[np.generic]:
        """Return the value of a Const."""
        return _read_tensor(_read_message(self.attributes["value"].slices[8][0]))


def read_nodes(data: bytes) -> list[Node]:
    """Return the nodes in the order of the file. Raises ValueError if the data is not a GraphDef."""
    return [_read_node(_read_message(node)) for node in _read_message(data).slices[1]]


def _read_node(message: Message) -> Node:
    attributes = [_read_message(entry).slices for entry in message.slices[5]]
    inputs = (name.decode() for name in message.slices[3])
    return Node(
        name=message.slices[1][0].decode(),
        op=message.slices[2][0].decode(),
        inputs=tuple(name.removesuffix(":0") for name in inputs if not name.startswith("^")),
        attributes={
            key.decode(): _read_message(value) for [key], [value] in ((entry[1], entry[2]) for entry in attributes)
        },
    )


def _read_tensor(message: Message) -> NDArray[np.generic]:
    """Return the tensor. Its values are raw bytes, or a list. A list with a single value fills the whole tensor."""
    dtype = DTYPES[message.numbers[1][0]]
    shape = [_read_message(axis).numbers[1][0] for axis in _read_message(message.slices[2][0]).slices[2]]
    if message.slices[4]:
        return np.frombuffer(message.slices[4][0], dtype).reshape(shape)
    if dtype.kind == "f":
        values = np.frombuffer(message.slices[5][0], dtype)
    else:
        values = np.array(list(_read_varints(message.slices[7][0])), np.uint64).astype(dtype)
    return values.reshape(shape) if values.size == np.prod(shape) else np.full(shape, values[0])


def _read_message(data: bytes) -> Message:
    message, position = Message(), 0
    while position < len(data):
        key, position = _read_varint(data, position)
        field_number, wire_type = key >> 3, key & 7
        if wire_type == VARINT:
            value, position = _read_varint(data, position)
            message.numbers[field_number].append(value)
            continue
        if wire_type == LENGTH_DELIMITED:
            size, position = _read_varint(data, position)
        else:
            size = FIXED_SIZES.get(wire_type, len(data))  # an unknown wire type fails the check below
        if position + size > len(data):
            raise ValueError(NOT_A_GRAPH)
        message.slices[field_number].append(data[position : position + size])
        position += size
    return message


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, the lowest first. The eighth bit is set if more bytes follow.

    Returns the number, and the position after it.
    """
    value = shift = 0
    while True:
        if position == len(data):
            raise ValueError(NOT_A_GRAPH)
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _read_varints(data: bytes) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = _read_varint(data, position)
        yield value
