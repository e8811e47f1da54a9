"""A model's identity: what it computes, not what is written about it."""

import hashlib
from collections.abc import Iterator

from onnx import ModelProto, TensorProto, numpy_helper


def identity(model: ModelProto) -> str:
    """sha256 over the graph's nodes and initializers, as 64 hexadecimal digits.

    Every node in order and every initializer's name, type, shape and bytes; no metadata, so that a new card leaves the
    identity as it is. Each part is preceded by its length, so that no two graphs run together to the same bytes.
    """
    digest = hashlib.sha256()
    for part in _parts(model):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _parts(model: ModelProto) -> Iterator[bytes]:
    for node in model.graph.node:
        yield node.SerializeToString(deterministic=True)
    for tensor in sorted(model.graph.initializer, key=lambda one: one.name):
        yield tensor.name.encode()
        yield TensorProto.DataType.Name(tensor.data_type).encode()
        yield ",".join(map(str, tensor.dims)).encode()
        yield numpy_helper.to_array(tensor).tobytes()
