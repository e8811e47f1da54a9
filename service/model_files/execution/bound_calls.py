"""Calls of a network whose input and output stay at the same place on a GPU.

A plain call allocates memory on the GPU, and lets it go again. Here each batch size has its buffers, and a call takes
free ones. There are few batch sizes, because CUDA and TensorRT prepare for each new shape: a batch is filled up to the
next power of two with black crops.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

DeviceName = Literal["cpu", "cuda"]


class BoundCalls:
    """Calls a network with one input and one output. Safe to call from several threads at once.

    Each batch size is called once when it is opened, so that no request waits for what the first call prepares.

    session: its input is uint8 and its output is float32. Their first size is that of the batch.
    device: where the buffers are.
    max_batch: the largest batch of one call. More rows become several calls.
    """

    def __init__(self, session: ort.InferenceSession, device: DeviceName, max_batch: int) -> None:
        self._session = session
        self._device = device
        self._sizes = batch_sizes(max_batch)
        self._free: dict[int, list[_Buffers]] = {size: [] for size in self._sizes}
        row_shape = session.get_inputs()[0].shape[1:]
        for size in self._sizes:
            self.run(np.zeros((size, *row_shape), np.uint8))

    def run(self, rows: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the output of each row of the input, in order. rows: (n, ...) uint8, n at least 1."""
        largest = self._sizes[-1]
        parts = [self._run_part(rows[start : start + largest]) for start in range(0, len(rows), largest)]
        return np.concatenate(parts)

    def _run_part(self, rows: NDArray[np.uint8]) -> NDArray[np.float32]:
        size = next(size for size in self._sizes if size >= len(rows))
        free = self._free[size]
        try:
            buffers = free.pop()  # one step of the interpreter: no two threads get the same buffers
        except IndexError:
            buffers = _Buffers(self._session, self._device, size)
        outputs = buffers.run(_fill_up(rows, size))[: len(rows)]
        free.append(buffers)  # not after an error: what the buffers then hold is not known
        return outputs


def batch_sizes(max_batch: int) -> Sequence[int]:
    """Return the powers of two below max_batch, and max_batch."""
    return [*(2**power for power in range((max_batch - 1).bit_length())), max_batch]


class _Buffers:
    """The input and the output of one batch size on a device, and their binding to the network."""

    def __init__(self, session: ort.InferenceSession, device: DeviceName, size: int) -> None:
        (source,), (target,) = session.get_inputs(), session.get_outputs()
        self._session = session
        self._input = ort.OrtValue.ortvalue_from_shape_and_type((size, *source.shape[1:]), np.uint8, device, 0)
        self._output = ort.OrtValue.ortvalue_from_shape_and_type((size, *target.shape[1:]), np.float32, device, 0)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(source.name, self._input)
        self._binding.bind_ortvalue_output(target.name, self._output)

    def run(self, rows: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run one full batch. The result is a copy."""
        self._input.update_inplace(rows)
        self._session.run_with_iobinding(self._binding)
        # On a CPU, numpy() is a view of the buffer, and the next call would change it.
        return np.array(self._output.numpy(), np.float32)


def _fill_up(rows: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if len(rows) == size:
        return rows
    full = np.zeros((size, *rows.shape[1:]), np.uint8)
    full[: len(rows)] = rows
    return full
