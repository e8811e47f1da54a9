"""What must be there for a provider."""

from pathlib import Path

import pytest

from service.domain.command_errors import ProviderUnavailable
from service.model_files.execution import installed
from service.model_files.execution.installed import (
    check_installed_runtimes,
    create_engine_folder,
    load_tensorrt,
    require_provider,
)


@pytest.mark.parametrize("other", ["onnxruntime-gpu", "onnxruntime-openvino"])
def test_two_installed_onnx_runtimes_are_refused(other: str) -> None:
    with pytest.raises(ProviderUnavailable, match=rf"pip uninstall -y onnxruntime {other}, then: pip install"):
        check_installed_runtimes(["numpy", "onnxruntime", other])


@pytest.mark.parametrize("wheel", ["onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino"])
def test_one_installed_onnx_runtime_is_accepted(wheel: str) -> None:
    check_installed_runtimes(["numpy", wheel])


def test_the_version_of_onnx_runtime_is_part_of_the_version_of_an_engine() -> None:
    assert require_provider("cpu").startswith("ort1.")


def test_without_tensorrt_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "TENSORRT_LIBRARIES", ("libnvinfer-that-nobody-has.so.10",))

    with pytest.raises(ProviderUnavailable, match=r"TensorRT is not installed .*pip install 'tensorrt-cu13-libs<11'"):
        load_tensorrt()


def test_only_the_owner_may_use_the_folders_of_engines(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "tensorrt" / "0123-ort1"

    create_engine_folder(folder)
    create_engine_folder(folder)

    assert [level.stat().st_mode & 0o777 for level in (folder, folder.parent, folder.parent.parent)] == [0o700] * 3


def test_a_folder_of_engines_that_cannot_be_created_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    with pytest.raises(ProviderUnavailable, match=r"cannot be created .*Make FACE_DATA_DIR writable") as refused:
        create_engine_folder(tmp_path / "data" / "tensorrt" / "0123-ort1")
    assert "\n" not in str(refused.value)
