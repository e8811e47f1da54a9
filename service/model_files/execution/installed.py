"""What must be there for an execution provider. A provider that is missing is an error, and never replaced."""

import ctypes
from collections.abc import Callable, Collection
from importlib import metadata, util
from pathlib import Path

import onnxruntime as ort

from service.domain.command_errors import ProviderUnavailable
from service.model_files.execution.options import PROVIDERS, ProviderName

RUNTIMES = {"onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino"}
"""The packages of ONNX Runtime. Only they are looked for: the names of all packages take a third of a second."""

INSTALL = {
    "cuda": "Install locks/gpu.txt",
    "tensorrt": "Install locks/gpu.txt and TensorRT",
    "openvino": "Install locks/openvino.txt",
}

NOT_STARTED = {
    "cuda": "A GPU needs NVIDIA's driver, 580 or newer, and a container must be given the GPU "
    "(docker run --gpus all). ",
    "tensorrt": "A GPU needs NVIDIA's driver, 580 or newer, and TensorRT must be of the version that this ONNX Runtime "
    "was built for. ",
}

TENSORRT_LIBRARIES = ("libnvinfer.so.10", "libnvinfer_plugin.so.10", "libnvonnxparser.so.10")
TENSORRT_PACKAGE = "tensorrt_libs"


def require_provider(provider: ProviderName) -> str:
    """Check that a provider is installed, and load its libraries.

    Returns the versions that built engines depend on.
    Raises ProviderUnavailable.
    """
    check_installed_runtimes({name for name in RUNTIMES if any(metadata.distributions(name=name))})
    if PROVIDERS[provider] not in ort.get_available_providers():
        raise ProviderUnavailable(
            f"This installation of ONNX Runtime has no {provider} provider. {INSTALL[provider]}, "
            "or set FACE_INFERENCE__PROVIDER=cpu."
        )
    return f"ort{ort.__version__}{_LOADERS[provider]()}"


def describe_failed_start(provider: ProviderName) -> str:
    """Return the error of a provider that is installed but did not start."""
    return (
        f"The provider {provider} is installed but did not start; the lines above give the reason. "
        f"{NOT_STARTED.get(provider, '')}Or set FACE_INFERENCE__PROVIDER=cpu."
    )


def check_installed_runtimes(packages: Collection[str]) -> None:
    """Check that only one ONNX Runtime is installed. packages: the names of installed packages.

    Raises ProviderUnavailable. Two of them overwrite each other's files. A provider is then off without a message.
    """
    installed = sorted(RUNTIMES.intersection(packages))
    if len(installed) > 1:
        raise ProviderUnavailable(
            f"{' and '.join(installed)} are installed together, which disables a provider without a message. Run: "
            f"pip uninstall -y {' '.join(installed)}, then: pip install --require-hashes --no-deps -r locks/gpu.txt "
            "(or cpu.txt, or openvino.txt)"
        )


def create_engine_folder(folder: Path) -> None:
    """Create the folder of TensorRT's engines, and the folders above it. Only the owner may use what is new.

    The data directory may not exist yet. Raises ProviderUnavailable.
    """
    try:
        for level in [*reversed(folder.parents), folder]:
            if not level.exists():
                level.mkdir(mode=0o700)
    except OSError as error:
        raise ProviderUnavailable(
            f"{folder}, where TensorRT keeps its engines, cannot be created ({error.strerror}). "
            "Make FACE_DATA_DIR writable."
        ) from None


def load_tensorrt() -> str:
    """Load the libraries of TensorRT, so that ONNX Runtime finds them. Return the version, as in `-trt101303`.

    They are those of the package tensorrt_libs, or those that the loader finds.
    Raises ProviderUnavailable.
    """
    package = util.find_spec(TENSORRT_PACKAGE)
    folders = [Path(folder) for folder in (package.submodule_search_locations or ())] if package else []
    names = [str(folders[0] / name) for name in TENSORRT_LIBRARIES] if folders else TENSORRT_LIBRARIES
    try:
        first, *_ = [ctypes.CDLL(name, ctypes.RTLD_GLOBAL) for name in names]
    except OSError as error:
        raise ProviderUnavailable(
            f"TensorRT is not installed ({error}). Run: pip install 'tensorrt-cu13-libs<11', or put the folder of "
            f"{TENSORRT_LIBRARIES[0]} into LD_LIBRARY_PATH. Or set FACE_INFERENCE__PROVIDER=cuda."
        ) from None
    return f"-trt{first.getInferLibVersion()}"


def _load_cuda() -> str:
    ort.preload_dlls()  # CUDA and cuDNN of the pip packages, so that the machine needs only a driver
    return ""


def _load_cuda_and_tensorrt() -> str:
    _load_cuda()
    return load_tensorrt()


_LOADERS: dict[ProviderName, Callable[[], str]] = {
    "cpu": str,
    "cuda": _load_cuda,
    "tensorrt": _load_cuda_and_tensorrt,
    "openvino": str,
}
"""Loads the libraries of a provider, and returns their version if engines depend on it."""
