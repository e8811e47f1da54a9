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

from service.card import CARD, DetectorCard, EmbedderCard, LandmarksCard
from service.errors import ModelFileError, ProviderUnavailable
from service.model_file import PROVIDERS, ModelFile, ProviderName, check_wheels, open_model

ROOT = Path(__file__).parent.parent.parent

GRAPH = """
<ir_version: 10, opset_import: ["" : 21]>
tiny (uint8[n, 16, 16, 3] crops) => (float[n, 4] embeddings)
{
    pixels = Cast <to = 1> (crops)
    flat = Flatten (pixels)
    starts = Constant <value_ints = [0]> ()
    ends = Constant <value_ints = [4]> ()
    axes = Constant <value_ints = [1]> ()
    embeddings = Slice (flat, starts, ends, axes)
}
"""
"""The first four numbers of each crop."""

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


def write(path: Path, graph: str, card: str | None) -> Path:
    model = parser.parse_model(graph)
    if card is not None:
        model.metadata_props.add(key="card", value=card)
    onnx.save(model, path)
    return path


def card(**changes: object) -> str:
    return CARD.dump_json(CARD.validate_python(FIELDS | changes)).decode()


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write(tmp_path / "tiny.onnx", GRAPH, card())


def opened(path: Path, sha256: str | None = None) -> ModelFile[EmbedderCard]:
    return open_model(path, EmbedderCard, "cpu", 1, sha256)


def refusal(path: Path, sha256: str | None = None) -> str:
    """The one line that the operator reads."""
    with pytest.raises(ModelFileError) as refused:
        opened(path, sha256)
    message = str(refused.value)
    assert "\n" not in message
    assert message.startswith((str(path), "The card of"))
    return message


def test_a_model_is_opened_with_its_card_and_its_sha256(tiny: Path) -> None:
    file = opened(tiny)
    assert (file.card.name, file.card.dimension) == ("tiny", 4)
    assert file.sha256 == hashlib.sha256(tiny.read_bytes()).hexdigest()
    crops = np.arange(2 * 16 * 16 * 3, dtype=np.uint64).astype(np.uint8).reshape(2, 16, 16, 3)
    (embeddings,) = file.session.run(["embeddings"], {"crops": crops})
    np.testing.assert_array_equal(embeddings, crops.reshape(2, -1)[:, :4])


def test_a_sha256_that_is_known_is_checked(tiny: Path) -> None:
    assert opened(tiny, hashlib.sha256(tiny.read_bytes()).hexdigest()).card.name == "tiny"
    assert "pull tiny --force" in refusal(tiny, "0" * 64)


def test_a_missing_file_names_the_command_that_brings_it(tmp_path: Path) -> None:
    assert "facenet-models pull sface" in refusal(tmp_path / "sface.onnx")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder.onnx"
    folder.mkdir()
    assert "cannot be read" in refusal(folder)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_cut_file_is_refused(models_dir: Path, tmp_path: Path, share: float) -> None:
    data = (models_dir / "sface.onnx").read_bytes()
    cut = tmp_path / "sface.onnx"
    cut.write_bytes(data[: int(share * len(data))])
    assert "pull sface --force" in refusal(cut)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("no model")
    assert "not a model that ONNX Runtime can open" in refusal(text)


def test_a_model_without_a_card_is_refused(tmp_path: Path) -> None:
    assert "has no card" in refusal(write(tmp_path / "bare.onnx", GRAPH, None))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no JSON", "JSON"),
        ("{}", "role"),
        (card().replace('"dimension":4', '"dimension":1'), "embedder.dimension"),
        (card().replace('"dimension":4,', ""), "embedder.dimension"),
        (card().replace('"name":"tiny"', '"name":"tiny","colour":"red"'), "embedder.colour"),
        (card().replace("0" * 64, "identity"), "embedder.id"),
        (card().replace('"format":1', '"format":2'), "embedder.format"),
        (card().replace("five_point", "six_point"), "embedder.alignment"),
    ],
)
def test_a_card_that_is_not_valid_is_refused_by_its_field(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(write(tmp_path / "tiny.onnx", GRAPH, text))


def test_a_model_of_another_role_is_refused(tiny: Path) -> None:
    with pytest.raises(ModelFileError, match="role embedder; a model of the role detector"):
        open_model(tiny, DetectorCard, "cpu", 1)
    with pytest.raises(ModelFileError, match="role embedder; a model of the role landmarks"):
        open_model(tiny, LandmarksCard, "cpu", 1)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("float[n, 4]", "float[n, 5]", "promises embeddings as tensor(float) of (any, 4)"),
        ("uint8[n, 16, 16, 3]", "uint8[n, 16, 20, 3]", "promises crops as tensor(uint8) of (any, 16, 16, 3)"),
        ("uint8[n, 16, 16, 3]", "uint8[1, 16, 16, 3]", "its graph has tensor(uint8) of (1, 16, 16, 3)"),
        ("uint8[n", "int8[n", "its graph has tensor(int8)"),
        ("crops", "faces", "its graph has nothing"),
        ("embeddings", "features", "its graph has nothing"),
    ],
)
def test_a_graph_that_is_not_what_its_card_promises_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    graph = GRAPH.replace(old, new).replace("[4]", "[5]" if "5" in new else "[4]")
    assert said in refusal(write(tmp_path / "tiny.onnx", graph, card()))


def test_the_models_of_the_zoo_open(models_dir: Path) -> None:
    for name in ("sface", "facenet"):
        assert opened(models_dir / f"{name}.onnx").card.name == name
    assert open_model(models_dir / "yunet.onnx", DetectorCard, "cpu", 1).card.name == "yunet"
    assert open_model(models_dir / "onet.onnx", LandmarksCard, "cpu", 1).card.name == "onet"


def test_two_onnx_runtimes_beside_each_other_are_refused() -> None:
    with pytest.raises(ProviderUnavailable, match=r"pip uninstall .*, then: pip install"):
        check_wheels(["numpy", "onnxruntime", "onnxruntime-gpu"])


@pytest.mark.parametrize("wheel", ["onnxruntime", "onnxruntime-gpu"])
def test_one_onnx_runtime_is_as_it_should_be(wheel: str) -> None:
    check_wheels(["numpy", wheel])


@pytest.mark.parametrize(
    "provider", [name for name, full in PROVIDERS.items() if full not in ort.get_available_providers()]
)
def test_a_provider_that_is_not_there_is_refused_and_never_replaced(
    tiny: Path, provider: ProviderName, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ProviderUnavailable, match=f"no {provider} provider"):
        open_model(tiny, EmbedderCard, provider, 1)
    assert capfd.readouterr() == ("", "")


def test_nothing_is_noted_or_told_of_the_machine(tiny: Path, tmp_path: Path) -> None:
    """ONNX Runtime does both by default, except where CI is set, so the child process has no such variable."""
    home = tmp_path / "home"
    home.mkdir()
    child = "from service.model_file import *; open_model(Path(sys.argv[1]), EmbedderCard, 'cpu', 1)"
    subprocess.run(
        [sys.executable, "-c", f"import sys; {child}", str(tiny)],
        check=True,
        cwd=ROOT,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "TMPDIR": str(home)},
    )
    assert list(home.rglob("*")) == []
