"""Finding the faces of a folder: the size of requests, the order of results, and what is refused.

`tests/e2e/test_photograph_commands.py` runs it against a service. Here the service is made up, so that its answers can
be chosen.
"""

from pathlib import Path
from typing import cast

import pytest

from facenet_client.schemas import EmbedAnswer
from service.commands.connection import Connection
from service.commands.photographs.face_finding import BYTES_PER_REQUEST, PHOTOGRAPHS_PER_REQUEST, FaceFinder, FoundFaces
from service.domain.command_errors import ModelChanged, RequestRefused

MODEL = "m1"


class MadeUpService:
    """Finds in a photograph as many faces as it has bytes. It refuses `bad`, and `several` if it is not alone."""

    def __init__(self, model: str = MODEL) -> None:
        self.model = model
        self.requests: list[list[bytes]] = []

    def embed(self, *photographs: bytes) -> EmbedAnswer:
        self.requests.append(list(photographs))
        if b"bad" in photographs:
            raise RequestRefused({"code": "unreadable_image", "detail": "Bad.", "image": "images[0]"})
        if b"several" in photographs and len(photographs) > 1:
            raise RequestRefused({"code": "body_too_large", "detail": "Too large."})
        if b"full" in photographs:
            raise RequestRefused({"code": "quota_used", "detail": "No more today."})
        box = {"x": 0, "y": 0, "width": 1, "height": 1}
        of_no_use = {"landmarks": None, "detection_score": None, "roll": None, "quality": None}
        face = {"box": box, "embedding": [1.0, 0.0]} | of_no_use
        images = [{"faces": [face] * min(len(data), 9), "warnings": []} for data in photographs]
        model = {"id": self.model, "name": "made up", "dimension": 2}
        return EmbedAnswer.model_validate({"images": images, "model": model})


def find(service: MadeUpService, files: list[Path]) -> FoundFaces:
    done: list[None] = []
    found = FaceFinder(cast("Connection", service), MODEL, lambda: done.append(None)).run(files)
    assert len(done) == len(files)
    return found


def write(folder: Path, *contents: bytes) -> list[Path]:
    files = [folder / f"{number:03}.jpg" for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    return files


def test_the_results_are_in_the_order_of_the_photographs(tmp_path: Path) -> None:
    files = write(tmp_path, *(b"x" * (number % 4) for number in range(50)))
    found = find(MadeUpService(), files)
    assert found.photographs == files
    assert [sum(face.photograph == number for face in found.faces) for number in range(50)] == [
        number % 4 for number in range(50)
    ]
    assert found.embeddings.shape == (len(found.faces), 2)


def test_a_request_has_few_photographs_and_few_bytes(tmp_path: Path) -> None:
    large = b"y" * (BYTES_PER_REQUEST // 2 - 1)
    service = MadeUpService()
    find(service, write(tmp_path, *[b"x"] * 20, *[large] * 5))
    assert sum(map(len, service.requests)) == 25
    assert max(map(len, service.requests)) == PHOTOGRAPHS_PER_REQUEST
    assert max(sum(map(len, request)) for request in service.requests) <= BYTES_PER_REQUEST


def test_a_refused_photograph_takes_no_other_with_it(tmp_path: Path) -> None:
    files = write(tmp_path, b"x", b"bad", b"several", b"xx")
    found = find(MadeUpService(), files)
    assert found.photographs == [files[0], files[2], files[3]]
    assert [(item.path, item.status, item.code, item.detail) for item in found.left_out] == [
        (files[1], "refused", "unreadable_image", "Bad.")
    ]


def test_a_file_that_is_gone_is_left_out(tmp_path: Path) -> None:
    files = [*write(tmp_path, b"x"), tmp_path / "gone.jpg"]
    found = find(MadeUpService(), files)
    assert found.photographs == files[:1]
    assert [(item.path, item.code) for item in found.left_out] == [(files[1], "unreadable_file")]


def test_a_refusal_of_everything_ends_the_command(tmp_path: Path) -> None:
    with pytest.raises(RequestRefused, match="No more today"):
        find(MadeUpService(), write(tmp_path, b"full"))


def test_embeddings_of_two_models_are_not_mixed(tmp_path: Path) -> None:
    with pytest.raises(ModelChanged, match="another model"):
        find(MadeUpService("m2"), write(tmp_path, b"x"))


def test_an_answer_with_too_few_results_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = MadeUpService()
    answer = service.embed(b"x")
    monkeypatch.setattr(service, "embed", lambda *_: answer)
    with pytest.raises(RequestRefused, match="1 results for 2 photographs"):
        find(service, write(tmp_path, b"x", b"xx"))


def test_no_photograph_has_no_face() -> None:
    found = find(MadeUpService(), [])
    assert (found.photographs, found.faces, len(found.embeddings)) == ([], [], 0)
