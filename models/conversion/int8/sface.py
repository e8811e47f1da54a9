"""Convert SFace of the OpenCV zoo to an embedder that computes in 8-bit integers."""

from onnx import ModelProto

from models.conversion.int8.build import build_int8
from models.conversion.int8.grids import SFACE, read_grids
from models.conversion.int8.network import read_network
from models.conversion.sface import SIDE_PX


def convert(data: bytes) -> ModelProto:
    """Convert the published file. data: its bytes, as `models.conversion.sface` takes them."""
    return build_int8(read_network(data), read_grids(SFACE), SIDE_PX)
