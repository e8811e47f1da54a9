import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest
from PIL import Image

from models.errors import DatasetError
from models.preparation.folder import read_folder
from models.preparation.prepare import PreparationOptions, prepare
from models.preparation.report import PreparationReport
from models.training.data.face_set import load_face_set
from service.pipeline.opening import PipelineOptions
from tests.support.sample_images import png_without_face

SIDE_PX = 32


def _picture(file: Path) -> Image.Image:
    with Image.open(file) as picture:
        return picture.convert("RGB")


def _prepare(folder: Path, out: Path, preparation: PreparationOptions) -> PreparationReport:
    return prepare(read_folder(folder), out, preparation, lambda: None)


def _read_shards(out: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in out.glob("*.tar")}


@pytest.fixture(scope="module")
def mixed(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of real photographs and of bad files: duplicates, damaged files, pictures without a face."""
    folder = tmp_path_factory.mktemp("mixed")
    for person in ("astro", "barack", "joe", "nobody", "void"):
        (folder / person).mkdir()
    astronaut = photographs / "eileen_collins" / "astronaut.png"
    copyfile(astronaut, folder / "astro" / "nasa-001.png")
    copyfile(astronaut, folder / "astro" / "nasa-002.png")
    _picture(astronaut).save(folder / "joe" / "same-pixels.bmp")
    copyfile(photographs / "obama" / "obama.jpg", folder / "barack" / "a.jpg")
    copyfile(photographs / "obama" / "obama2.jpg", folder / "barack" / "b.jpg")
    copyfile(photographs / "biden" / "biden.jpg", folder / "joe" / "biden.jpg")
    (folder / "joe" / "broken.jpg").write_bytes((photographs / "biden" / "biden.jpg").read_bytes()[:4000])
    (folder / "joe" / "gone.jpg").symlink_to(folder / "nowhere")
    (folder / "nobody" / "meadow.png").write_bytes(png_without_face())
    return folder


@pytest.fixture(scope="module")
def prepared(
    mixed: Path, options: PipelineOptions, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, PreparationReport]:
    out = tmp_path_factory.mktemp("prepared") / "set"
    return out, _prepare(mixed, out, PreparationOptions(pipeline=options, photographs_per_shard=4))


def test_a_photograph_that_cannot_be_used_is_dropped_counted_and_named(
    prepared: tuple[Path, PreparationReport],
) -> None:
    out, report = prepared

    dropped = {
        reason: {photograph.file: photograph.why for photograph in files} for reason, files in report.dropped.items()
    }
    assert dropped == {
        "unreadable": {
            "joe/broken.jpg": "The image is cut off or damaged. Send the whole file.",
            "joe/gone.jpg": "No such file or directory",
        },
        "no_face": {"nobody/meadow.png": "no face was found"},
        "duplicate": {"astro/nasa-002.png": "astro/nasa-001.png", "joe/same-pixels.bmp": "astro/nasa-001.png"},
    }
    assert (report.photographs, report.faces, report.people) == (9, 4, 3)
    assert report.people_without_a_face == ("nobody", "void")
    assert report.people_with_one_face == ("astro", "joe")
    assert PreparationReport.model_validate_json((out / "report.json").read_bytes()) == report
    assert ("no face, dropped", "1") in set(report.lines())


def test_a_shard_holds_each_canvas_and_its_origin(prepared: tuple[Path, PreparationReport]) -> None:
    out, _ = prepared

    with tarfile.open(out / "faces-00000.tar") as tar:
        names = tar.getnames()
        image, origin = (tar.extractfile(name) for name in names[:2])
        assert image is not None
        assert origin is not None
        shape = np.asarray(Image.open(io.BytesIO(image.read()))).shape
        content = json.load(origin)
    assert names == [f"faces-00000-{row:05}.{suffix}" for row in range(3) for suffix in ("webp", "json")]
    assert shape == (128, 128, 3)
    sha256 = content.pop("sha256")
    assert content == {"person": "astro", "source": "nasa", "file": "astro/nasa-001.png"}
    assert len(sha256) == 64


def test_a_prepared_face_set_is_loaded_with_its_people_and_sources(prepared: tuple[Path, PreparationReport]) -> None:
    faces = load_face_set(prepared[0], lambda: None)

    assert faces.names == ("astro", "barack", "joe")
    assert faces.people.tolist() == [0, 1, 1, 2]
    assert [faces.source_names[source] for source in faces.sources] == ["nasa", *["photographs"] * 3]


def test_several_threads_write_the_same_shards_as_one_thread(
    prepared: tuple[Path, PreparationReport], mixed: Path, options: PipelineOptions, tmp_path: Path
) -> None:
    preparation = PreparationOptions(pipeline=replace(options, threads=1), photographs_per_shard=4)

    _prepare(mixed, tmp_path / "out", preparation)

    assert _read_shards(tmp_path / "out") == _read_shards(prepared[0])


def test_a_folder_without_a_usable_photograph_is_refused(tmp_path: Path, options: PipelineOptions) -> None:
    (tmp_path / "photographs" / "nobody").mkdir(parents=True)
    (tmp_path / "photographs" / "nobody" / "meadow.png").write_bytes(png_without_face())
    (tmp_path / "photographs" / "nobody" / "notes.txt").write_text("no photograph", "utf-8")

    with pytest.raises(
        DatasetError, match=r"None of the 2 photographs can be used: 1 unreadable, 1 no_face\. See .*json"
    ):
        _prepare(tmp_path / "photographs", tmp_path / "out", PreparationOptions(pipeline=options))

    assert not (tmp_path / "out" / "set.json").exists()


def test_suspicious_faces_are_flagged_in_the_face_set_and_named_in_the_report(
    photographs: Path, tmp_path: Path, options: PipelineOptions
) -> None:
    biden = _picture(photographs / "biden" / "biden.jpg")
    astronaut = _picture(photographs / "eileen_collins" / "astronaut.png")
    files = {
        "barack/1.jpg": _picture(photographs / "obama" / "obama.jpg"),
        "barack/2.jpg": _picture(photographs / "obama" / "obama2.jpg"),
        "barack/3.jpg": biden,
        "eileen/1.jpg": astronaut,
        "eileen/2.jpg": astronaut,
        "joe/1.jpg": biden,
        "joe/2.jpg": biden.resize((biden.width // 2, biden.height // 2)),
    }
    for quality, (file, picture) in enumerate(files.items(), 89):
        (tmp_path / "faces" / file).parent.mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / "faces" / file, quality=quality)

    report = _prepare(
        tmp_path / "faces", tmp_path / "out", PreparationOptions(pipeline=options, photographs_per_shard=3)
    )

    assert {(face.file, face.nearer_to) for face in report.flagged.mislabelled} == {("barack/3.jpg", "joe")}
    assert {(face.file, face.of) for face in report.flagged.near_duplicate} == {
        ("eileen/2.jpg", "eileen/1.jpg"),
        ("joe/2.jpg", "joe/1.jpg"),
    }
    clean = load_face_set(tmp_path / "out", lambda: None, leave_out={"mislabelled", "near_duplicate"})
    assert [clean.names[person] for person in clean.people] == ["barack", "barack", "eileen", "joe"]
    assert len(load_face_set(tmp_path / "out", lambda: None)) == 7
