"""The options that a provider gets. No provider but that of the CPU is needed here."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from service.model_files.execution.options import Execution, Network, ProviderName, engine_folder, list_providers

SFACE = Network("0123456789abcdef" * 4, "ort1.31.1-trt101303", {"crops": (None, 112, 112, 3)})
TENSORRT = Execution("tensorrt", max_batch=64, engines=Path("/data/tensorrt"))


def options_of(execution: Execution) -> dict[str, str]:
    return list_providers(execution, SFACE)[0][1]


def test_the_cpu_has_no_options() -> None:
    assert list_providers(Execution(), SFACE) == [("CPUExecutionProvider", {})]


def test_cuda_does_not_try_all_algorithms_for_each_shape_and_computes_in_whole_float32() -> None:
    assert list_providers(Execution("cuda"), SFACE) == [
        ("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"})
    ]


def test_tensorrt_builds_one_engine_for_all_batch_sizes() -> None:
    options = options_of(TENSORRT)

    assert options["trt_profile_min_shapes"] == "crops:1x112x112x3"
    assert options["trt_profile_opt_shapes"] == options["trt_profile_max_shapes"] == "crops:64x112x112x3"


def test_tensorrt_keeps_its_engines_in_a_folder_of_the_model_and_of_the_versions() -> None:
    folder = "/data/tensorrt/0123456789abcdef-ort1.31.1-trt101303"
    assert engine_folder(TENSORRT, SFACE) == Path(folder)

    options = options_of(TENSORRT)

    assert options["trt_engine_cache_enable"] == options["trt_timing_cache_enable"] == "True"
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == folder


def test_without_a_folder_tensorrt_keeps_nothing() -> None:
    assert not [name for name in options_of(replace(TENSORRT, engines=None)) if "cache" in name]


def test_only_tensorrt_has_a_folder_of_engines() -> None:
    assert engine_folder(replace(TENSORRT, provider="cuda"), SFACE) is None


def test_tensorrt_computes_in_float16_only_if_it_was_asked_for() -> None:
    assert options_of(TENSORRT)["trt_fp16_enable"] == "False"
    assert options_of(replace(TENSORRT, numbers="float16"))["trt_fp16_enable"] == "True"


def test_cuda_runs_the_nodes_that_tensorrt_does_not_have() -> None:
    assert list_providers(TENSORRT, SFACE)[1:] == list_providers(Execution("cuda"), SFACE)


@pytest.mark.parametrize(
    ("provider", "of_detector"), [("cpu", "cpu"), ("cuda", "cuda"), ("tensorrt", "cuda"), ("openvino", "cpu")]
)
def test_the_detector_does_not_run_where_each_new_size_takes_long(
    provider: ProviderName, of_detector: ProviderName
) -> None:
    assert Execution(provider, calls=4).for_any_size() == Execution(of_detector, calls=4)


def test_openvino_has_a_stream_for_each_call_that_runs_at_once() -> None:
    options = options_of(Execution("openvino", threads_per_call=2, calls=4))

    assert (options["device_type"], options["num_streams"], options["num_of_threads"]) == ("CPU", "4", "8")


def test_openvino_does_not_choose_the_numbers_by_itself() -> None:
    def hint(execution: Execution) -> str:
        return str(json.loads(options_of(execution)["load_config"])["CPU"]["INFERENCE_PRECISION_HINT"])

    assert hint(Execution("openvino")) == "f32"
    assert hint(Execution("openvino", numbers="bfloat16")) == "bf16"
