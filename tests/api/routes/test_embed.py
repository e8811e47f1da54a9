import httpx
import numpy as np
import pytest

from tests.support.sample_images import base64_image, png_without_face

pytestmark = pytest.mark.anyio


async def test_every_face_of_every_image_is_returned(
    client: httpx.AsyncClient, obama: bytes, two_people: bytes
) -> None:
    files = [("images", obama), ("images", png_without_face()), ("images", two_people)]
    answer = (await client.post("/embed", files=files)).json()
    assert [len(image["faces"]) for image in answer["images"]] == [1, 0, 2]
    face = answer["images"][0]["faces"][0]
    assert len(face["landmarks"]) == 5
    assert 0.9 < face["detection_score"] <= 1
    assert face["embedding"] is None


async def test_embeddings_are_returned_on_request_and_have_length_1(
    client: httpx.AsyncClient, two_people: bytes
) -> None:
    answer = await client.post("/embed?include=embedding", files={"images": two_people})
    embeddings = np.array([face["embedding"] for face in answer.json()["images"][0]["faces"]])
    assert embeddings.shape == (2, 128)
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(1, abs=1e-5)


async def test_a_request_with_a_bad_image_is_refused_with_its_position(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/embed", files=[("images", obama), ("images", b"not an image")])
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_image")
    assert answer.json()["image"] == "images[1]"


async def test_an_embedding_is_the_same_alone_and_among_others(
    client: httpx.AsyncClient, obama: bytes, two_people: bytes
) -> None:
    async def embed_first_face(files: list[tuple[str, bytes]], position: int) -> np.ndarray:
        answer = await client.post("/embed?include=embedding", files=files)
        return np.array(answer.json()["images"][position]["faces"][0]["embedding"])

    alone = await embed_first_face([("images", obama)], 0)
    together = await embed_first_face([("images", two_people)] * 4 + [("images", obama)] * 4, 7)
    assert together == pytest.approx(alone, abs=1e-5)


async def test_an_unchanged_image_gets_no_warning(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/embed", json={"images": [base64_image(obama)]})
    assert answer.json()["images"][0]["warnings"] == []


@pytest.mark.parametrize("body", [{"images": []}, {}, {"images": None}, {"images": {}}])
async def test_a_body_without_images_is_refused(client: httpx.AsyncClient, body: object) -> None:
    assert (await client.post("/embed", json=body)).status_code == 422
