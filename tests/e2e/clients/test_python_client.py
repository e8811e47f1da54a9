"""The Python client with a running service: every kind of photograph, both clients, and all of a gallery."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

import facenet_client
from facenet_client import AsyncClient, Client, EmbeddingImage, FaceImage, FaceLine, RequestRefused, SubjectImage
from facenet_client.calls import Call
from tests.support.running_service import RunningService, run_service

pytestmark = pytest.mark.slow

FACES_OF_TWO_PAGES = 1001


@pytest.fixture(scope="module")
def client(service: RunningService) -> Iterator[Client]:
    with Client(service.url) as client:
        yield client


@pytest.fixture
def obama_jpg(photographs: Path) -> Path:
    return photographs / "obama" / "obama.jpg"


@pytest.fixture
def obama2_jpg(photographs: Path) -> Path:
    return photographs / "obama" / "obama2.jpg"


@pytest.fixture
def biden_jpg(photographs: Path) -> Path:
    return photographs / "biden" / "biden.jpg"


def vectors(count: int, dimension: int) -> list[list[float]]:
    drawn = np.random.default_rng(0).normal(size=(count, dimension))
    unit: list[list[float]] = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).tolist()
    return unit


def test_the_service_is_ready_and_names_its_model(client: Client) -> None:
    assert client.ready().status == "ready"
    assert client.model().name == "sface"


def test_verify_takes_every_kind_of_photograph(client: Client, obama_jpg: Path, obama2_jpg: Path) -> None:
    expected = client.verify(obama_jpg, obama2_jpg).distance
    with Image.open(obama_jpg) as image, obama_jpg.open("rb") as file:
        for photograph in (str(obama_jpg), obama_jpg.read_bytes(), file, np.asarray(image), image):
            answer = client.verify(photograph, obama2_jpg)
            assert answer.verified
            assert answer.distance == pytest.approx(expected, abs=0.01)


def test_an_array_in_the_order_bgr_is_another_picture(client: Client, obama_jpg: Path) -> None:
    with Image.open(obama_jpg) as image:
        pixels = np.asarray(image)
    assert client.verify(pixels, obama_jpg).distance < 0.001
    assert client.verify(pixels[:, :, ::-1], obama_jpg).distance > 0.05


def test_a_subject_is_enrolled_identified_verified_and_deleted(
    client: Client, obama_jpg: Path, obama2_jpg: Path, biden_jpg: Path
) -> None:
    staff = client.collection("staff")
    staff.create()
    staff.add_subject("obama", name="Barack Obama", metadata={"door": 1})
    enrolled = staff.enrol("obama", obama_jpg)
    assert [result.status for result in enrolled.results] == ["enrolled"]
    assert [result.status for result in staff.enrol("obama", obama_jpg).results] == ["known"]

    (face,) = client.identify(obama2_jpg, "staff", k=1).faces
    assert (face.decision, face.subject, face.candidates[0].name) == ("match", "obama", "Barack Obama")
    assert [one.decision for one in client.identify(biden_jpg, "staff").faces] == ["unknown"]

    (stored,) = staff.faces("obama")
    assert stored == staff.face(stored.id)
    embedding = client.embed(obama2_jpg).images[0].faces[0].embedding
    assert embedding is not None
    for enrolled_image in (
        SubjectImage(subject="obama", collection="staff"),
        FaceImage(face=stored.id, collection="staff"),
        EmbeddingImage(embedding=embedding, model=client.model().id),
    ):
        assert client.verify(obama2_jpg, enrolled_image).verified
        assert not client.verify(biden_jpg, enrolled_image).verified

    assert re.fullmatch(r"[0-9]+-[0-9a-f]{32}", staff.delete_subject("obama") or "")
    assert list(staff.subjects()) == []


def test_subjects_are_changed_moved_and_merged(client: Client, obama_jpg: Path, obama2_jpg: Path) -> None:
    staff = client.collection("changes")
    assert staff.create(expires_after_days=30).expires_after_days == 30
    assert staff.expire_after(None).expires_after_days is None
    made = staff.add_subject()
    staff.put_subject("ada", name="Ada", metadata={"team": 1})
    staff.enrol(made.id, obama_jpg, obama2_jpg)
    assert staff.rename("ada", "Ada Lovelace").metadata == {"team": 1}
    assert staff.describe("ada", {"team": 2}).name == "Ada Lovelace"

    first = next(iter(staff.faces(made.id)))
    assert staff.move(first.id, to="ada").subject == "ada"
    assert staff.merge(made.id, into="ada").moved == 1
    assert [subject.id for subject in staff.subjects()] == ["ada"]
    assert len(staff.export_subject("ada").faces) == 2
    staff.delete_face(first.id)
    assert staff.info().faces == 1
    staff.delete()
    assert "changes" not in {collection.id for collection in client.collections()}


def test_embeddings_are_enrolled_and_listed_over_several_pages(client: Client) -> None:
    model, crowd = client.model(), client.collection("crowd")
    crowd.create()
    lines = [
        FaceLine(subject=f"p{number:04}", name="A person", model=model.id, embedding=vector)
        for number, vector in enumerate(vectors(FACES_OF_TWO_PAGES, model.dimension))
    ]
    results = crowd.enrol_embeddings([*lines, FaceLine(subject="long", model=model.id, embedding=(2.0, 0.0))])
    assert [result.status for result in results] == ["enrolled"] * FACES_OF_TWO_PAGES + ["refused"]
    assert results[-1].code == "invalid_embedding"
    subjects = list(crowd.subjects())
    assert [subject.id for subject in subjects] == [line.subject for line in lines]
    assert {subject.name for subject in subjects} == {"A person"}

    exported = io.BytesIO()
    crowd.export(exported)
    assert json.loads(exported.getvalue().splitlines()[0])["subjects"] == FACES_OF_TWO_PAGES


def test_clusters_of_photographs_embeddings_and_a_collection(
    client: Client, obama_jpg: Path, obama2_jpg: Path, biden_jpg: Path
) -> None:
    answer = client.cluster(obama_jpg, obama2_jpg, biden_jpg)
    assert [face.label for face in answer.faces] == [0, 0, 1]
    assert [cluster.members for cluster in answer.clusters] == [(0, 1), (2,)]

    images = client.embed(obama_jpg, obama2_jpg, biden_jpg).images
    embeddings = [image.faces[0].embedding or () for image in images]
    assert [face.label for face in client.cluster_embeddings(embeddings, answer.model.id).faces] == [0, 0, 1]

    album = client.collection("album")
    album.create()
    for subject, photograph in (("a", obama_jpg), ("b", obama2_jpg), ("c", biden_jpg)):
        album.put_subject(subject)
        album.enrol(subject, photograph)
    sizes = sorted(cluster.size for cluster in client.cluster_collection("album").clusters)
    assert sizes == [1, 2]


def test_a_calibration_needs_people(client: Client) -> None:
    few = client.collection("few")
    few.create()
    for operation, code in ((few.measure_calibration, "too_few_people"), (few.calibration, "calibration_not_found")):
        with pytest.raises(RequestRefused) as error:
            operation()
        assert error.value.code == code
    assert few.use_calibration("model").calibration == "model"


def test_refusals_say_what_is_wrong(client: Client, obama_jpg: Path) -> None:
    blank = np.full((100, 100, 3), 255, np.uint8)
    with pytest.raises(RequestRefused) as error:
        client.verify(obama_jpg, blank)
    assert (error.value.code, error.value.status, error.value.problem.image) == ("no_face", 422, "image_b")
    with pytest.raises(RequestRefused, match=r"query\.threshold"):
        client.verify(obama_jpg, obama_jpg, threshold=9)
    with pytest.raises(RequestRefused) as error:
        client.identify(obama_jpg, "nobody")
    assert error.value.code == "collection_not_found"


def test_an_enrolment_that_stores_nothing_says_why(client: Client) -> None:
    strangers = client.collection("strangers")
    strangers.create()
    strangers.put_subject("nobody")
    with pytest.raises(RequestRefused, match="Image 1: no_face: ") as error:
        strangers.enrol("nobody", np.full((100, 100, 3), 255, np.uint8))
    assert (error.value.code, error.value.problem.results[0].code) == ("nothing_enrolled", "no_face")


async def test_the_client_of_an_event_loop_has_the_same_operations(
    service: RunningService, obama_jpg: Path, obama2_jpg: Path
) -> None:
    async with AsyncClient(service.url) as client:
        assert (await client.verify(obama_jpg, obama2_jpg)).verified
        staff = client.collection("async")
        await staff.create()
        await staff.put_subject("obama", name="Barack Obama")
        await staff.enrol("obama", obama_jpg)
        assert [subject.name async for subject in staff.subjects()] == ["Barack Obama"]
        assert (await client.identify(obama2_jpg, "async")).faces[0].subject == "obama"
        assert "async" in {collection.id async for collection in client.collections()}
        saved = io.BytesIO()
        await client.backup(saved)
        assert saved.getvalue().startswith(b"manifest.json")
        assert await client.keys.list() == ()
        with pytest.raises(RequestRefused):
            await staff.subject("nobody")
        await staff.delete()


def test_one_line_for_a_notebook(
    service: RunningService, monkeypatch: pytest.MonkeyPatch, obama_jpg: Path, obama2_jpg: Path
) -> None:
    monkeypatch.setenv("FACENET_URL", service.url)
    assert facenet_client.verify(obama_jpg, obama2_jpg).verified
    assert len(facenet_client.cluster(obama_jpg, obama2_jpg).clusters) == 1
    assert facenet_client.embed(obama_jpg).images[0].faces[0].embedding
    assert facenet_client.identify(obama_jpg, "default").faces[0].decision == "unknown"


def test_a_call_that_the_client_does_not_know_yet(client: Client) -> None:
    answer: dict[str, Any] = client.send(Call("GET", "/livez", httpx.Response.json))
    assert answer == {"status": "alive"}


def test_keys_are_made_sent_rotated_and_revoked(models_dir: Path, tmp_path: Path) -> None:
    with run_service(tmp_path / "data", models_dir) as service, Client(service.url) as anybody:
        admin = anybody.keys.create(["admin", "read"], label="operator")
        with pytest.raises(RequestRefused) as error:
            list(anybody.collections())
        assert (error.value.code, error.value.status) == ("key_missing", 401)
        with Client(service.url, key=admin.key) as operator:
            assert [collection.id for collection in operator.collections()] == ["default"]
            door = operator.keys.create(["verify"], collections=["staff"], requests_per_minute=1)
            assert [key.id for key in operator.keys.list()] == [admin.id, door.id]
            renewed = operator.keys.rotate(door.id, overlap_s=0)
            operator.keys.revoke(renewed.id)
            assert [key.valid for key in operator.keys.list()] == [True, False, False]
