import httpx
import numpy as np
import pytest

from tests.pictures import as_json, meadow

pytestmark = pytest.mark.anyio


async def test_every_face_of_every_image_is_told(client: httpx.AsyncClient, obama: bytes, pair: bytes) -> None:
    files = [("images", obama), ("images", meadow()), ("images", pair)]
    answer = (await client.post("/embed", files=files)).json()
    assert [len(image["faces"]) for image in answer["images"]] == [1, 0, 2]
    face = answer["images"][0]["faces"][0]
    assert len(face["landmarks"]) == 5
    assert 0.9 < face["detection_score"] <= 1
    assert face["embedding"] is None


async def test_embeddings_come_when_asked_for_and_are_unit(client: httpx.AsyncClient, pair: bytes) -> None:
    answer = await client.post("/embed?include=embedding", files={"images": pair})
    vectors = np.array([face["embedding"] for face in answer.json()["images"][0]["faces"]])
    assert vectors.shape == (2, 128)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


async def test_one_bad_image_refuses_all_and_is_named(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/embed", files=[("images", obama), ("images", b"not an image")])
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_image")
    assert answer.json()["image"] == "images[1]"


async def test_a_face_is_the_same_alone_and_among_others(client: httpx.AsyncClient, obama: bytes, pair: bytes) -> None:
    async def embedding(files: list[tuple[str, bytes]], position: int) -> np.ndarray:
        answer = await client.post("/embed?include=embedding", files=files)
        return np.array(answer.json()["images"][position]["faces"][0]["embedding"])

    alone = await embedding([("images", obama)], 0)
    together = await embedding([("images", pair)] * 4 + [("images", obama)] * 4, 7)
    assert together == pytest.approx(alone, abs=1e-5)


async def test_what_was_done_to_an_image_is_told(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/embed", json={"images": [as_json(obama)]})
    assert answer.json()["images"][0]["warnings"] == []


@pytest.mark.parametrize("body", [{"images": []}, {}, {"images": None}, {"images": {}}])
async def test_a_body_without_images_is_refused(client: httpx.AsyncClient, body: object) -> None:
    assert (await client.post("/embed", json=body)).status_code == 422
