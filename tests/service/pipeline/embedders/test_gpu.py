"""On a GPU, the networks compute what they compute on a CPU."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from service.model_files.card import DetectorCard
from service.model_files.catalogue import find_model
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.embedders.bound import BoundEmbedder
from service.pipeline.embedders.precision import PrecisionOptions, open_float32

HAS_GPU = "CUDAExecutionProvider" in ort.get_available_providers() and Path("/dev/nvidiactl").exists()

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not HAS_GPU, reason="needs a GPU of NVIDIA and onnxruntime-gpu")]
TOLERANCE = 1e-4


@pytest.mark.parametrize("count", [1, 3, 64, 70])
def test_embeddings_of_cuda_are_those_of_the_cpu(models_dir: Path, count: int) -> None:
    source = find_model("sface", models_dir)
    crops = np.random.default_rng(0).integers(0, 256, (count, 112, 112, 3), np.uint8)

    on_gpu = open_float32(PrecisionOptions(source, None, Execution("cuda", max_batch=64)))

    assert isinstance(on_gpu, BoundEmbedder)
    expected = open_float32(PrecisionOptions(source, None, Execution())).embed(crops)
    np.testing.assert_allclose(on_gpu.embed(crops), expected, atol=TOLERANCE)


@pytest.mark.parametrize("size", [(320, 320), (320, 480), (736, 416)])
def test_detection_scores_of_cuda_are_those_of_the_cpu(models_dir: Path, size: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)

    cpu, cuda = (
        open_model(models_dir / "yunet.onnx", DetectorCard, Execution(provider)).session.run(
            ["scores"], {"images": images}
        )[0]
        for provider in ("cpu", "cuda")
    )

    np.testing.assert_allclose(cuda, cpu, atol=TOLERANCE)
