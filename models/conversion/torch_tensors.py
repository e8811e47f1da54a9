"""Read the tensors of a PyTorch file without PyTorch, and without running code of the file.

A file of the legacy format is a sequence of pickles: magic number, version, machine, state, storage keys. After the
pickles, the file has the length and the bytes of each storage, in the order of the keys. The unpickler allows only the
constructors of tensors.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

MAGIC = 0x1950A86A20F9469CFC6C
"""The magic number of the legacy format (torch/serialization.py)."""


@dataclass(frozen=True)
class _Tensor:
    storage: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def _rebuild_tensor(
    storage: str, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_rest: object
) -> _Tensor:
    return _Tensor(storage, offset, shape, stride)


def _float_storage() -> NoReturn:
    raise pickle.UnpicklingError("this file constructs a storage, and only references to storages are allowed")


_ALLOWED: dict[tuple[str, str], Callable[..., object]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch", "FloatStorage"): _float_storage,
}


class _TensorUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., object]:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a file of weights") from None

    def persistent_load(self, pid: object) -> str:
        match pid:
            case ("storage", storage_type, str(key), *_) if storage_type is _float_storage:
                return key
        raise pickle.UnpicklingError("this file has a storage that is not of float32, and only float32 can be read")


def read_tensors(data: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the tensors of the file by name, float32 and contiguous.

    Raises pickle.UnpicklingError if the file holds anything else, or is of another format.
    """
    stream = io.BytesIO(data)
    if _TensorUnpickler(stream).load() != MAGIC:
        raise pickle.UnpicklingError("not a PyTorch file of the legacy format")
    _version, _machine, state, keys = (_TensorUnpickler(stream).load() for _ in range(4))
    storages = {}
    for key in keys:
        length = int.from_bytes(stream.read(8), "little")
        storages[key] = np.frombuffer(stream.read(4 * length), "<f4")
    return {name: _to_array(tensor, storages[tensor.storage]) for name, tensor in state.items()}


def _to_array(tensor: _Tensor, storage: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the tensor as an array. PyTorch does not copy a transposed tensor: it stores other strides."""
    strides = [step * storage.itemsize for step in tensor.stride]
    view = np.ndarray(tensor.shape, storage.dtype, storage, tensor.offset * storage.itemsize, strides)
    return np.ascontiguousarray(view)
