"""Which precision an embedder is opened in, with the real files."""

import shutil
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog

from service.domain.command_errors import ModelFileError, ProviderUnavailable
from service.model_files.catalogue import ModelSource, find_int8, find_model
from service.model_files.execution.options import Execution, ProviderName
from service.pipeline.embedders import precision
from service.pipeline.embedders.precision import OPENERS, PrecisionOptions, compare, open_float32, open_int8


@pytest.fixture
def options(models_dir: Path) -> PrecisionOptions:
    return PrecisionOptions(find_model("sface", models_dir), find_int8("sface", models_dir), Execution())


def chosen(logs: list[MutableMapping[str, Any]]) -> MutableMapping[str, Any]:
    return next(entry for entry in logs if entry["event"] == "precision_chosen")


def test_the_catalogue_has_an_int8_file_of_sface_only(models_dir: Path) -> None:
    found = find_int8("sface", models_dir)

    assert found is not None
    assert found.path == models_dir / "sface-int8.onnx"
    assert found.sha256 is not None
    assert find_int8("compact", models_dir) is None
    assert find_int8("mine.onnx", models_dir) is None


def test_in_int8_the_embedder_keeps_its_id_and_its_card(options: PrecisionOptions) -> None:
    assert open_int8(options).card == open_float32(options).card


def test_in_int8_other_numbers_are_computed(options: PrecisionOptions) -> None:
    crops = precision.draw_crops(open_float32(options).card)

    float32, int8 = open_float32(options).embed(crops), open_int8(options).embed(crops)

    assert not np.array_equal(float32, int8)
    np.testing.assert_allclose(np.linalg.norm(int8, axis=1), 1, atol=1e-5)


def test_on_this_cpu_int8_computes_the_same_within_its_error(options: PrecisionOptions) -> None:
    cosine, _ = compare(open_float32(options), open_int8(options))

    assert cosine >= precision.MIN_COSINE


def test_auto_takes_int8_if_it_is_faster(options: PrecisionOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "compare", lambda *_: (0.99, 0.5))

    with structlog.testing.capture_logs() as logs:
        OPENERS["auto"](options)

    assert [chosen(logs)[name] for name in ("precision", "cosine", "time_ratio")] == ["int8", 0.99, 0.5]


@pytest.mark.parametrize(("cosine", "ratio", "why"), [(0.99, 1.2, "not faster"), (0.4, 0.5, "do not agree")])
def test_auto_takes_float32_if_int8_is_slower_or_wrong(
    options: PrecisionOptions, monkeypatch: pytest.MonkeyPatch, cosine: float, ratio: float, why: str
) -> None:
    monkeypatch.setattr(precision, "compare", lambda *_: (cosine, ratio))

    with structlog.testing.capture_logs() as logs:
        OPENERS["auto"](options)

    assert chosen(logs)["precision"] == "float32"
    assert why in str(chosen(logs)["reason"])


def test_auto_takes_float32_without_the_file_and_says_how_to_get_it(options: PrecisionOptions, tmp_path: Path) -> None:
    without = PrecisionOptions(options.embedder, ModelSource(tmp_path / "sface-int8.onnx"), Execution())

    with structlog.testing.capture_logs() as logs:
        OPENERS["auto"](without)

    assert chosen(logs)["precision"] == "float32"
    assert "facenet-models pull sface-int8" in str(chosen(logs)["reason"])


def test_int8_without_the_file_is_refused_with_the_command(options: PrecisionOptions, tmp_path: Path) -> None:
    without = PrecisionOptions(options.embedder, ModelSource(tmp_path / "sface-int8.onnx"), Execution())

    with pytest.raises(ModelFileError, match=r"is missing\. Run: facenet-models pull sface-int8"):
        open_int8(without)


def test_int8_of_a_model_that_has_none_is_refused(models_dir: Path) -> None:
    without = PrecisionOptions(find_model("compact", models_dir), None, Execution())

    with pytest.raises(ModelFileError, match="no int8 file of compact"):
        open_int8(without)


def test_an_int8_file_of_another_model_is_refused(options: PrecisionOptions, models_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "sface-int8.onnx"
    shutil.copy(models_dir / "facenet.onnx", file)

    with pytest.raises(ModelFileError, match="was not made from"):
        open_int8(PrecisionOptions(options.embedder, ModelSource(file), Execution()))


@pytest.mark.parametrize("provider", ["cpu", "cuda", "openvino"])
def test_float16_without_tensorrt_is_refused(options: PrecisionOptions, provider: ProviderName) -> None:
    with pytest.raises(ProviderUnavailable, match="float16 needs TensorRT"):
        OPENERS["float16"](replace(options, execution=Execution(provider)))


@pytest.mark.parametrize("cosine", [0.5, float("nan")])
def test_float16_that_computes_something_else_is_refused(
    options: PrecisionOptions, monkeypatch: pytest.MonkeyPatch, cosine: float
) -> None:
    """The CPU stands for TensorRT here, and the cosine is made up."""
    float32 = open_float32(options)
    monkeypatch.setattr(precision, "_open", lambda *_: float32)
    monkeypatch.setattr(precision, "least_cosine", lambda *_: cosine)

    with pytest.raises(ProviderUnavailable, match="computes something else in float16"):
        OPENERS["float16"](replace(options, execution=Execution("tensorrt")))


def test_float16_is_compared_with_float32(options: PrecisionOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU stands for TensorRT here."""
    float32 = open_float32(options)
    monkeypatch.setattr(precision, "_open", lambda *_: float32)

    assert OPENERS["float16"](replace(options, execution=Execution("tensorrt"))) is float32


def test_bfloat16_without_openvino_is_refused(options: PrecisionOptions) -> None:
    with pytest.raises(ProviderUnavailable, match="bfloat16 needs OpenVINO"):
        OPENERS["bfloat16"](options)


def test_bfloat16_on_a_processor_without_it_is_refused(
    options: PrecisionOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = tmp_path / "cpuinfo"
    flags.write_text("flags : avx avx2\n", "utf-8")
    monkeypatch.setattr(precision, "CPU_INFO", flags)
    openvino = PrecisionOptions(options.embedder, options.int8, Execution("openvino"))

    with pytest.raises(ProviderUnavailable, match="does not compute in bfloat16"):
        OPENERS["bfloat16"](openvino)
