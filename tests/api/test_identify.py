from typing import Any

import httpx
import numpy as np
import pytest

from tests.pictures import as_json, meadow

pytestmark = pytest.mark.anyio


@pytest.fixture
async def enrolled(client: httpx.AsyncClient, collection: str, obama: bytes, biden: bytes) -> str:
    """A collection with two people; its id."""
    for name, photograph in (("obama", obama), ("biden", biden)):
        await client.put(f"{collection}/subjects/{name}", json={"name": name.title()})
        answer = await client.post(f"{collection}/subjects/{name}/faces", files={"images": photograph})
        assert answer.status_code == 201
    return collection.rpartition("/")[2]


async def test_an_enrolled_person_is_found(client: httpx.AsyncClient, enrolled: str, obama2: bytes) -> None:
    answer = (await client.post("/identify", params={"collection": enrolled}, files={"image": obama2})).json()
    (face,) = answer["faces"]
    assert (face["decision"], face["subject"]) == ("match", "obama")
    assert [(one["subject"], one["name"]) for one in face["candidates"]] == [("obama", "Obama"), ("biden", "Biden")]
    assert (
        face["distance"] == face["candidates"][0]["distance"] < answer["threshold"] < face["candidates"][1]["distance"]
    )
    assert (answer["gallery_size"], answer["fpir"]) == (2, None)


async def test_a_stranger_is_unknown(client: httpx.AsyncClient, enrolled: str, photographs: Any) -> None:
    stranger = (photographs / "eileen_collins" / "astronaut.png").read_bytes()
    (face,) = (await client.post("/identify", params={"collection": enrolled}, files={"image": stranger})).json()[
        "faces"
    ]
    assert (face["decision"], face["subject"], face["distance"]) == ("unknown", None, None)
    assert len(face["candidates"]) == 2


async def test_k_bounds_the_candidates(client: httpx.AsyncClient, enrolled: str, obama2: bytes) -> None:
    answer = await client.post("/identify", params={"collection": enrolled, "k": 1}, files={"image": obama2})
    assert [one["subject"] for one in answer.json()["faces"][0]["candidates"]] == ["obama"]


async def test_a_subject_is_one_line_however_many_faces_they_have(
    client: httpx.AsyncClient, collection: str, obama: bytes, obama2: bytes
) -> None:
    await client.put(f"{collection}/subjects/obama", json={})
    await client.post(f"{collection}/subjects/obama/faces", files=[("images", obama), ("images", obama2)])
    name = collection.rpartition("/")[2]
    answer = (await client.post("/identify", params={"collection": name}, json={"image": as_json(obama)})).json()
    (candidate,) = answer["faces"][0]["candidates"]
    assert candidate["distance"] == pytest.approx(0, abs=1e-5)
    assert answer["gallery_size"] == 2


async def test_the_threshold_of_the_query_decides(client: httpx.AsyncClient, enrolled: str, obama2: bytes) -> None:
    options: dict[str, str | float] = {"collection": enrolled, "threshold": 0.05}
    answer = await client.post("/identify", params=options, files={"image": obama2})
    assert answer.json()["faces"][0]["decision"] == "unknown"


async def test_a_photograph_without_a_face_has_an_empty_answer(client: httpx.AsyncClient, enrolled: str) -> None:
    answer = await client.post("/identify", params={"collection": enrolled}, files={"image": meadow()})
    assert (answer.status_code, answer.json()["faces"]) == (200, [])


async def test_an_empty_collection_knows_nobody(client: httpx.AsyncClient, collection: str, obama: bytes) -> None:
    name = collection.rpartition("/")[2]
    answer = (await client.post("/identify", params={"collection": name}, files={"image": obama})).json()
    assert (answer["faces"][0]["decision"], answer["faces"][0]["candidates"]) == ("unknown", [])


async def test_every_face_of_a_photograph_is_identified(client: httpx.AsyncClient, enrolled: str, pair: bytes) -> None:
    answer = await client.post("/identify", params={"collection": enrolled}, files={"image": pair})
    assert {face["subject"] for face in answer.json()["faces"]} == {"obama", "biden"}


@pytest.mark.parametrize("k", ["0", "-1", "101", "1000000000", "1.5", "many"])
async def test_k_out_of_range_is_refused(client: httpx.AsyncClient, obama: bytes, k: str) -> None:
    answer = await client.post("/identify", params={"k": k}, files={"image": obama})
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "query.k")


async def test_an_unknown_collection_is_404(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/identify", params={"collection": "nowhere"}, files={"image": obama})
    assert (answer.status_code, answer.json()["code"]) == (404, "collection_not_found")


async def test_a_given_embedding_is_searched_as_it_is(client: httpx.AsyncClient, enrolled: str, model_id: str) -> None:
    vector = np.eye(1, 128)[0].tolist()
    body = {"image": {"embedding": vector, "model": model_id}}
    answer = (await client.post("/identify", params={"collection": enrolled}, json=body)).json()
    assert answer["faces"][0]["box"] is None
    assert answer["faces"][0]["decision"] == "unknown"
