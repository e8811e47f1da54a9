"""The identity of a model: a checksum of what it computes, without its card."""

import hashlib
from collections.abc import Iterator

from onnx import ModelProto, TensorProto, numpy_helper


def compute_identity(model: ModelProto) -> str:
    """Return the sha256 over the nodes and initializers of the graph, as 64 hexadecimal digits.

    It covers every node in order, and the name, type, shape and bytes of every initializer. It does not cover the
    metadata. So a new card does not change the identity. The length of each part is hashed before the part. Without the
    lengths, two different graphs could give the same sequence of bytes.
    """
    digest = hashlib.sha256()
    for part in _parts(model):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _parts(model: ModelProto) -> Iterator[bytes]:
    for node in model.graph.node:
        yield node.SerializeToString(deterministic=True)
    for tensor in sorted(model.graph.initializer, key=lambda tensor: tensor.name):
        yield tensor.name.encode()
        yield TensorProto.DataType.Name(tensor.data_type).encode()
        yield ",".join(map(str, tensor.dims)).encode()
        yield numpy_helper.to_array(tensor).tobytes()
