"""With FACE_GALLERY__KEEP_CROPS=yes, the part of a photograph around an enrolled face is kept and shown."""

import base64
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest

from service.app import open_app
from service.domain.errors import FaceNotFound
from service.gallery.reader import GalleryReader
from service.pipeline.decoding.decode import decode
from service.settings.environment import Settings
from service.settings.groups import GallerySettings, Models
from tests.support.asgi_client import connect_to_app
from tests.support.sample_images import base64_image

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def keeping(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a service that keeps crops."""
    folder, models = tmp_path_factory.mktemp("keeping"), Models(dir=models_dir)
    settings = Settings(data_dir=folder, models=models, gallery=GallerySettings(keep_crops="yes"))
    async with open_app(settings) as app, connect_to_app(app) as client:
        await client.put("/collections/default/subjects/obama", json={"name": "Barack Obama"})
        await client.put("/collections/copies", json={})
        await client.put("/collections/copies/subjects/obama", json={})
        yield client


async def enrol(client: httpx.AsyncClient, image: Mapping[str, object], collection: str = "default") -> str:
    answer = await client.post(f"/collections/{collection}/subjects/obama/faces", json={"images": [image]})
    return str(answer.json()["results"][0]["face"])


async def test_the_crop_of_an_enrolled_face_is_shown(keeping: httpx.AsyncClient, obama: bytes) -> None:
    face = await enrol(keeping, base64_image(obama))
    assert (await keeping.get(f"/collections/default/faces/{face}")).json()["has_crop"] is True
    answer = await keeping.get(f"/collections/default/faces/{face}/crop")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"
    shown = decode(answer.content, 10**6)
    assert 100 < shown.width <= 512
    assert 100 < shown.height <= 512
    again = await keeping.post("/embed", files={"images": answer.content})
    assert len(again.json()["images"][0]["faces"]) == 1


async def test_a_copied_face_gets_a_copy_of_the_crop(keeping: httpx.AsyncClient, obama: bytes) -> None:
    face = await enrol(keeping, base64_image(obama))
    copy = await enrol(keeping, {"face": face, "collection": "default"}, "copies")
    shown = [
        (await keeping.get(f"/collections/{collection}/faces/{one}/crop")).content
        for collection, one in (("default", face), ("copies", copy))
    ]
    assert shown[0] == shown[1]


async def test_a_face_that_is_deleted_while_it_is_copied_does_not_refuse_the_other_images(
    keeping: httpx.AsyncClient, obama: bytes, obama2: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = await enrol(keeping, base64_image(obama))

    async def get_crop(*_: object) -> None:
        raise FaceNotFound

    monkeypatch.setattr(GalleryReader, "get_crop", get_crop)
    images = [{"face": face, "collection": "default"}, base64_image(obama2)]
    await keeping.put("/collections/copies/subjects/anna", json={})
    answer = await keeping.post("/collections/copies/subjects/anna/faces", json={"images": images})
    assert answer.status_code == 201
    assert [result["code"] for result in answer.json()["results"]] in ([None, None], ["known_elsewhere", None])


async def test_the_export_of_a_subject_has_the_crops(keeping: httpx.AsyncClient, obama: bytes) -> None:
    face = await enrol(keeping, base64_image(obama))
    shown = (await keeping.get(f"/collections/default/faces/{face}/crop")).content
    exported = (await keeping.get("/collections/default/subjects/obama/export")).json()["faces"]
    (crop,) = [one["crop_base64"] for one in exported if one["id"] == face]
    assert base64.b64decode(crop) == shown


async def test_an_embedding_has_no_crop(keeping: httpx.AsyncClient, obama2: bytes) -> None:
    answer = await keeping.post("/embed", params={"include": "embedding"}, files={"images": obama2})
    model = (await keeping.get("/model")).json()["id"]
    embedding = answer.json()["images"][0]["faces"][0]["embedding"]
    face = await enrol(keeping, {"embedding": embedding, "model": model})
    refused = await keeping.get(f"/collections/default/faces/{face}/crop")
    assert (refused.status_code, refused.json()["code"]) == (404, "crop_not_found")
    exported = (await keeping.get("/collections/default/subjects/obama/export")).json()["faces"]
    assert [one["crop_base64"] for one in exported if one["id"] == face] == [None]


async def test_all_crops_of_a_collection_can_be_deleted(keeping: httpx.AsyncClient, obama: bytes) -> None:
    face = await enrol(keeping, base64_image(obama), "copies")
    assert (await keeping.delete("/collections/copies/crops")).status_code == 204
    assert (await keeping.get(f"/collections/copies/faces/{face}")).json()["has_crop"] is False
    assert (await keeping.delete("/collections/nowhere/crops")).json()["code"] == "collection_not_found"


async def test_nothing_is_kept_by_default(client: httpx.AsyncClient, collection: str, obama: bytes) -> None:
    await client.put(f"{collection}/subjects/obama", json={})
    enrolled = await client.post(f"{collection}/subjects/obama/faces", files={"images": obama})
    face = enrolled.json()["results"][0]["face"]
    assert (await client.get(f"{collection}/faces/{face}")).json()["has_crop"] is False
    refused = await client.get(f"{collection}/faces/{face}/crop")
    assert (refused.status_code, refused.json()["code"]) == (404, "crop_not_found")
    assert "FACE_GALLERY__KEEP_CROPS=yes" in refused.json()["detail"]
    assert (await client.get(f"{collection}/faces/nobody/crop")).json()["code"] == "face_not_found"
