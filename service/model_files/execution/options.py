"""How ONNX Runtime runs a model: the execution provider and its options. Nothing here needs the provider itself."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

from service.model_files.card import Shape, TensorShapes

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
ProviderName = Literal["cpu", "cuda", "tensorrt", "openvino"]
GPU_PROVIDERS = {"cuda", "tensorrt"}

FOR_ANY_SIZE: dict[ProviderName, ProviderName] = {"tensorrt": "cuda", "openvino": "cpu"}
"""TensorRT would build an engine for each size, which takes seconds to minutes.

OpenVINO needs 0.1 to 0.2 s more for each new size of a photograph. With a known size, its detector takes 1.5 to 2 times
as long as that of the CPU provider. Both were measured.
"""

Numbers = Literal["float32", "float16", "bfloat16"]
"""The numbers that the layers of a network compute with. Its inputs and outputs do not depend on it."""

ProviderList = list[tuple[str, dict[str, str]]]
"""Providers of ONNX Runtime with their options. A node runs on the first one that has it."""

CUDA_OPTIONS = {
    # By default, cuDNN tries all its algorithms for each new shape. Photographs and batches have many shapes.
    "cudnn_conv_algo_search": "HEURISTIC",
    # By default, the factors of a product are rounded to 10 bits. Then float32 on a GPU would not be float32.
    "use_tf32": "0",
}
OPENVINO_NUMBERS = {"float32": "f32", "bfloat16": "bf16"}


@dataclass(frozen=True, slots=True)
class Execution:
    """How a model is run.

    threads_per_call: the threads of one call, on a CPU.
    calls: how many calls run at once.
    max_batch: the most crops in one call.
    engines: the folder in which TensorRT keeps what it has built. None: it builds again at each start.
    """

    provider: ProviderName = "cpu"
    threads_per_call: int = 1
    calls: int = 1
    numbers: Numbers = "float32"
    max_batch: int = 1
    engines: Path | None = None

    @property
    def on_gpu(self) -> bool:
        """Whether the model runs on a GPU."""
        return self.provider in GPU_PROVIDERS

    @property
    def builds_engines(self) -> bool:
        """Whether the provider builds an engine from the model, for this GPU."""
        return self.provider == "tensorrt"

    def for_any_size(self) -> Self:
        """Return how a network is run whose input has a new size in each photograph."""
        return replace(self, provider=FOR_ANY_SIZE.get(self.provider, self.provider))


@dataclass(frozen=True, slots=True)
class Network:
    """What a provider needs to know about a model file before it opens it.

    version: of the libraries that would build an engine. An engine of other versions cannot be read.
    inputs: the shape of each input. None is a size that may be any number.
    """

    sha256: str
    version: str
    inputs: TensorShapes


def list_providers(execution: Execution, network: Network) -> ProviderList:
    """Return the providers with their options, the one that was asked for first."""
    return _LISTS[execution.provider](execution, network)


def engine_folder(execution: Execution, network: Network) -> Path | None:
    """Return the folder of TensorRT's engines of this file. Their names contain the GPU and the precision."""
    if execution.engines is None or not execution.builds_engines:
        return None
    return execution.engines / f"{network.sha256[:16]}-{network.version}"


def _cpu(_execution: Execution, _network: Network) -> ProviderList:
    return [(PROVIDERS["cpu"], {})]


def _cuda(_execution: Execution, _network: Network) -> ProviderList:
    return [(PROVIDERS["cuda"], CUDA_OPTIONS)]


def _tensorrt(execution: Execution, network: Network) -> ProviderList:
    """Return TensorRT, with one engine for 1 to max_batch crops, and CUDA for what TensorRT does not have."""
    folder = engine_folder(execution, network)
    options = {
        "trt_fp16_enable": str(execution.numbers == "float16"),
        "trt_profile_min_shapes": _profile(network.inputs, 1),
        "trt_profile_opt_shapes": _profile(network.inputs, execution.max_batch),
        "trt_profile_max_shapes": _profile(network.inputs, execution.max_batch),
    }
    if folder:
        cache = {"trt_engine_cache_enable": "True", "trt_timing_cache_enable": "True"}
        options |= cache | {"trt_engine_cache_path": str(folder), "trt_timing_cache_path": str(folder)}
    return [(PROVIDERS["tensorrt"], options), (PROVIDERS["cuda"], CUDA_OPTIONS)]


def _openvino(execution: Execution, _network: Network) -> ProviderList:
    """Return OpenVINO on the CPU. By default it has one stream, and calls then wait for each other.

    On a processor with AMX it would also choose bfloat16 by itself, so the numbers are always said.
    """
    options = {
        "device_type": "CPU",
        "num_streams": str(execution.calls),
        "num_of_threads": str(execution.calls * execution.threads_per_call),
        "load_config": json.dumps({"CPU": {"INFERENCE_PRECISION_HINT": OPENVINO_NUMBERS[execution.numbers]}}),
    }
    return [(PROVIDERS["openvino"], options)]


_LISTS: dict[ProviderName, Callable[[Execution, Network], ProviderList]] = {
    "cpu": _cpu,
    "cuda": _cuda,
    "tensorrt": _tensorrt,
    "openvino": _openvino,
}


def _profile(inputs: TensorShapes, batch: int) -> str:
    """Return shapes as TensorRT reads them: `crops:64x112x112x3`."""
    return ",".join(f"{name}:{_dimensions(shape, batch)}" for name, shape in inputs.items())


def _dimensions(shape: Shape, batch: int) -> str:
    return "x".join(str(batch if size is None else size) for size in shape)
