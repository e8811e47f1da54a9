import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import parser

from service.domain.command_errors import ModelFileError, ProviderUnavailable
from service.model_files import model_file
from service.model_files.card import CARD_ADAPTER, DetectorCard, EmbedderCard, LandmarksCard
from service.model_files.execution.options import (
    PROVIDERS,
    Execution,
    Network,
    ProviderList,
    ProviderName,
    list_providers,
)
from service.model_files.model_file import ModelFile, open_model
from tests.support.first_numbers import first_numbers_graph

ROOT = Path(__file__).parents[3]

GRAPH = first_numbers_graph(side_px=16, dimension=4)

FIELDS: dict[str, Any] = {
    "name": "tiny",
    "id": "0" * 64,
    "role": "embedder",
    "architecture": "none",
    "licence": "none",
    "training": "none",
    "dimension": 4,
    "alignment": {"kind": "five_point", "view": [0, 0, 112, 112], "height": 16, "width": 16},
}


def write_model(path: Path, graph: str, card_json: str | None) -> Path:
    model = parser.parse_model(graph)
    if card_json is not None:
        model.metadata_props.add(key="card", value=card_json)
    onnx.save(model, path)
    return path


def card_json(**changes: object) -> str:
    return CARD_ADAPTER.dump_json(CARD_ADAPTER.validate_python(FIELDS | changes)).decode()


@pytest.fixture
def tiny_model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "tiny.onnx", GRAPH, card_json())


def open_embedder_file(path: Path, sha256: str | None = None) -> ModelFile[EmbedderCard]:
    return open_model(path, EmbedderCard, Execution(), sha256)


def error_message(path: Path, sha256: str | None = None) -> str:
    """Return the error of opening this file. It is one line, because an operator reads it."""
    with pytest.raises(ModelFileError) as error:
        open_embedder_file(path, sha256)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith((str(path), "The card of"))
    return message


def test_a_model_is_opened_with_its_card_and_its_sha256(tiny_model: Path) -> None:
    file = open_embedder_file(tiny_model)
    assert (file.card.name, file.card.dimension) == ("tiny", 4)
    assert file.sha256 == hashlib.sha256(tiny_model.read_bytes()).hexdigest()
    crops = np.arange(2 * 16 * 16 * 3, dtype=np.uint64).astype(np.uint8).reshape(2, 16, 16, 3)
    (embeddings,) = file.session.run(["embeddings"], {"crops": crops})
    np.testing.assert_array_equal(embeddings, crops.reshape(2, -1)[:, :4])


def test_a_given_sha256_is_checked(tiny_model: Path) -> None:
    assert open_embedder_file(tiny_model, hashlib.sha256(tiny_model.read_bytes()).hexdigest()).card.name == "tiny"
    assert "pull tiny --force" in error_message(tiny_model, "0" * 64)


def test_the_error_of_a_missing_file_names_the_command_that_downloads_it(tmp_path: Path) -> None:
    assert "facenet-models pull sface" in error_message(tmp_path / "sface.onnx")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder.onnx"
    folder.mkdir()
    assert "cannot be read" in error_message(folder)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(models_dir: Path, tmp_path: Path, share: float) -> None:
    data = (models_dir / "sface.onnx").read_bytes()
    truncated = tmp_path / "sface.onnx"
    truncated.write_bytes(data[: int(share * len(data))])
    assert "pull sface --force" in error_message(truncated)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    text_file = tmp_path / "text.onnx"
    text_file.write_text("no model")
    assert "not a model that ONNX Runtime can open" in error_message(text_file)


def test_the_loaded_model_is_that_of_the_checked_bytes(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is replaced just before ONNX Runtime opens the model. The model that was read and checked is loaded."""
    sha256 = hashlib.sha256(tiny_model.read_bytes()).hexdigest()
    real_session = ort.InferenceSession

    def replace_file_and_open(*arguments: Any, **options: Any) -> Any:
        tiny_model.write_bytes(b"another model")
        return real_session(*arguments, **options)

    monkeypatch.setattr(ort, "InferenceSession", replace_file_and_open)
    file = open_embedder_file(tiny_model, sha256)
    assert (file.card.name, file.sha256) == ("tiny", sha256)


def test_the_session_keeps_no_copy_of_the_file(tiny_model: Path) -> None:
    data = tiny_model.read_bytes()
    assert data not in vars(open_embedder_file(tiny_model).session).values()


def test_a_model_cannot_bring_options_of_the_session() -> None:
    """With ORT_LOAD_CONFIG_FROM_MODEL, ONNX Runtime would take options from the metadata of a file."""
    child = "import os; from service.model_files.model_file import open_model; print(*os.environ)"
    environment = os.environ | {"ORT_LOAD_CONFIG_FROM_MODEL": "1"}
    output = subprocess.run(
        [sys.executable, "-c", child], check=True, cwd=ROOT, env=environment, capture_output=True, text=True
    ).stdout
    assert "ORT_DISABLE_TELEMETRY" in output
    assert "ORT_LOAD_CONFIG_FROM_MODEL" not in output


def test_a_model_without_a_card_is_refused(tmp_path: Path) -> None:
    assert "has no card" in error_message(write_model(tmp_path / "bare.onnx", GRAPH, None))


@pytest.mark.parametrize(
    ("card_text", "message"),
    [
        ("no JSON", "JSON"),
        ("{}", "role"),
        (card_json().replace('"dimension":4', '"dimension":1'), "embedder.dimension"),
        (card_json().replace('"dimension":4,', ""), "embedder.dimension"),
        (card_json().replace('"name":"tiny"', '"name":"tiny","colour":"red"'), "embedder.colour"),
        (card_json().replace("0" * 64, "identity"), "embedder.id"),
        (card_json().replace('"format":1', '"format":2'), "embedder.format"),
        (card_json().replace("five_point", "six_point"), "embedder.alignment"),
    ],
)
def test_the_error_of_an_invalid_card_names_the_field(tmp_path: Path, card_text: str, message: str) -> None:
    assert message in error_message(write_model(tmp_path / "tiny.onnx", GRAPH, card_text))


def test_a_model_of_another_role_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ModelFileError, match="role embedder; a model of the role detector"):
        open_model(tiny_model, DetectorCard, Execution())
    with pytest.raises(ModelFileError, match="role embedder; a model of the role landmarks"):
        open_model(tiny_model, LandmarksCard, Execution())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("float[n, 4]", "float[n, 5]", "describes embeddings as tensor(float) of (any, 4)"),
        ("uint8[n, 16, 16, 3]", "uint8[n, 16, 20, 3]", "describes crops as tensor(uint8) of (any, 16, 16, 3)"),
        ("uint8[n, 16, 16, 3]", "uint8[1, 16, 16, 3]", "its graph has tensor(uint8) of (1, 16, 16, 3)"),
        ("uint8[n", "int8[n", "its graph has tensor(int8)"),
        ("crops", "faces", "its graph has nothing"),
        ("embeddings", "features", "its graph has nothing"),
    ],
)
def test_a_graph_that_differs_from_its_card_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    graph = GRAPH.replace(old, new).replace("[4]", "[5]" if "5" in new else "[4]")
    assert message in error_message(write_model(tmp_path / "tiny.onnx", graph, card_json()))


def test_the_models_of_the_catalogue_can_be_opened(models_dir: Path) -> None:
    for name in ("sface", "facenet"):
        assert open_embedder_file(models_dir / f"{name}.onnx").card.name == name
    assert open_model(models_dir / "yunet.onnx", DetectorCard, Execution()).card.name == "yunet"
    assert open_model(models_dir / "onet.onnx", LandmarksCard, Execution()).card.name == "onet"


@pytest.mark.parametrize(
    "provider", [name for name, full_name in PROVIDERS.items() if full_name not in ort.get_available_providers()]
)
def test_an_unavailable_provider_is_refused_and_not_replaced_by_another(
    tiny_model: Path, provider: ProviderName, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ProviderUnavailable, match=f"no {provider} provider"):
        open_model(tiny_model, EmbedderCard, Execution(provider))
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_tensorrt_that_does_not_start_is_refused_after_it_got_the_shapes_of_the_model(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This ONNX Runtime has no TensorRT. It opens the model on the CPU instead, as it does if libraries are missing."""
    asked: list[ProviderList] = []

    def list_and_note(execution: Execution, network: Network) -> ProviderList:
        asked.append(list_providers(execution, network))
        return asked[-1]

    monkeypatch.setattr(model_file, "require_provider", lambda _: "ort1-trt10")
    monkeypatch.setattr(model_file, "list_providers", list_and_note)

    with pytest.raises(ProviderUnavailable, match="tensorrt is installed but did not start"):
        open_model(tiny_model, EmbedderCard, Execution("tensorrt", max_batch=8, engines=tmp_path / "engines"))

    ((_, options), _) = asked[-1]
    assert options["trt_profile_max_shapes"] == "crops:8x16x16x3"
    assert [folder.name for folder in (tmp_path / "engines").iterdir()] == [
        f"{hashlib.sha256(tiny_model.read_bytes()).hexdigest()[:16]}-ort1-trt10"
    ]


def test_onnx_runtime_writes_no_file_about_the_machine(tiny_model: Path, tmp_path: Path) -> None:
    """ONNX Runtime stores and sends data about the machine by default, but not if CI is set.

    So the child process does not get the variable CI.
    """
    home = tmp_path / "home"
    home.mkdir()
    child = "from service.model_files.model_file import *; open_model(Path(sys.argv[1]), EmbedderCard, Execution())"
    subprocess.run(
        [sys.executable, "-c", f"import sys; {child}", str(tiny_model)],
        check=True,
        cwd=ROOT,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "TMPDIR": str(home)},
    )
    assert list(home.rglob("*")) == []
