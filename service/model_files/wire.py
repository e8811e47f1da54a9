"""The wire format of Protocol Buffers, in which ONNX files are written.

The service does not have the package `onnx`. The package `protobuf` would copy every weight.
Source: https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator

VARINT, FIXED_64, LENGTH_DELIMITED, FIXED_32 = 0, 1, 2, 5
MAX_VARINT_BYTES = 10
MAX_TAG = 2**32 - 1
_FIXED_BYTES = {FIXED_64: 8, FIXED_32: 4}


class MalformedMessage(Exception):
    """The bytes are not a message."""


def read_fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the number and the value of each field of a message, in its order.

    A varint is an int. Every other value is a view of its bytes, and nothing is copied.
    Raises MalformedMessage. Groups are refused, because ONNX has none.
    """
    position = 0
    while position < len(message):
        tag, position = _read_varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if number == 0 or tag > MAX_TAG:
            raise MalformedMessage("a field has no valid number")
        if wire_type == VARINT:
            value, position = _read_varint(message, position)
            yield number, value
            continue
        length, position = _read_length(message, position, wire_type)
        if length > len(message) - position:
            raise MalformedMessage("a field is longer than its message")
        yield number, message[position : position + length]
        position += length


def _read_length(message: memoryview, position: int, wire_type: int) -> tuple[int, int]:
    """Return the length of a value and the position of its first byte."""
    if wire_type == LENGTH_DELIMITED:
        return _read_varint(message, position)
    if wire_type not in _FIXED_BYTES:
        raise MalformedMessage("a field has an unknown wire type")
    return _FIXED_BYTES[wire_type], position


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return a number of at most 64 bits and the position after it."""
    value = 0
    for index, byte in enumerate(message[position : position + MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, position + index + 1
    raise MalformedMessage("a number does not end")
