"""Tensors out of a PyTorch file, without PyTorch and without running what the file says.

A file of the legacy format is a row of pickles (magic number, version, machine, state, storage keys), then the
storages' bytes in the order of the keys, each behind its length. The unpickler allows the tensor constructors alone.
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
    raise pickle.UnpicklingError("a storage is named, never built")


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
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of weights") from None

    def persistent_load(self, pid: object) -> str:
        match pid:
            case ("storage", storage_type, str(key), *_) if storage_type is _float_storage:
                return key
        raise pickle.UnpicklingError("only float storages are read")


def read_tensors(data: bytes) -> dict[str, NDArray[np.float32]]:
    """The file's tensors by name, float32 and contiguous. Raises pickle.UnpicklingError for anything else in it."""
    stream = io.BytesIO(data)
    if _TensorUnpickler(stream).load() != MAGIC:
        raise pickle.UnpicklingError("not a PyTorch file of the legacy format")
    _version, _machine, state, keys = (_TensorUnpickler(stream).load() for _ in range(4))
    storages = {}
    for key in keys:
        length = int.from_bytes(stream.read(8), "little")
        storages[key] = np.frombuffer(stream.read(4 * length), "<f4")
    return {name: _array(tensor, storages[tensor.storage]) for name, tensor in state.items()}


def _array(tensor: _Tensor, storage: NDArray[np.float32]) -> NDArray[np.float32]:
    """PyTorch stores a transposed tensor as it was, with the strides of the transposition."""
    strides = [step * storage.itemsize for step in tensor.stride]
    view = np.ndarray(tensor.shape, storage.dtype, storage, tensor.offset * storage.itemsize, strides)
    return np.ascontiguousarray(view)
