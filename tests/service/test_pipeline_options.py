"""How many calls run at once, and how large they are, by the provider."""

from pathlib import Path

import pytest

from service.observability.process_limits import cpu_count
from service.settings.environment import load_settings
from service.settings.pipeline import pipeline_options


@pytest.mark.parametrize(
    ("provider", "workers", "max_batch"),
    [("cpu", cpu_count(), 2), ("openvino", cpu_count(), 2), ("cuda", 2, 64), ("tensorrt", 2, 64)],
)
def test_a_gpu_has_two_workers_with_large_batches_and_a_cpu_has_small_ones(
    monkeypatch: pytest.MonkeyPatch, provider: str, workers: int, max_batch: int
) -> None:
    monkeypatch.setenv("FACE_INFERENCE__PROVIDER", provider)

    options = pipeline_options(load_settings())

    assert (options.workers, options.max_batch) == (workers, max_batch)


def test_the_settings_come_before_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PROVIDER": "cuda", "WORKERS": "3", "MAX_BATCH": "128"}.items():
        monkeypatch.setenv(f"FACE_INFERENCE__{name}", value)

    options = pipeline_options(load_settings())

    assert (options.workers, options.max_batch) == (3, 128)


def test_engines_of_tensorrt_are_kept_in_the_data_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACE_DATA_DIR", str(tmp_path))

    assert pipeline_options(load_settings()).engines == tmp_path / "tensorrt"
