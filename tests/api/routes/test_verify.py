from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.sample_images import base64_image, png_without_face

pytestmark = pytest.mark.anyio


async def verify(client: httpx.AsyncClient, a: Any, b: Any, **options: Any) -> httpx.Response:
    return await client.post("/verify", json={"image_a": a, "image_b": b}, params=options)


async def test_two_photographs_of_one_person_are_verified(
    client: httpx.AsyncClient, obama: bytes, obama2: bytes
) -> None:
    answer = (await client.post("/verify", files={"image_a": obama, "image_b": obama2})).json()
    assert answer["verified"] is True
    assert answer["distance"] < answer["threshold"] == 1.242
    assert 50 < answer["score"] <= 100
    assert answer["image_a"]["faces_found"] == 1
    assert answer["image_a"]["face"]["box"]["width"] > 50
    assert 0 < answer["fmr"] < 0.001 < answer["fnmr"] < 0.2
    assert answer["rates_missing"] is None


async def test_photographs_of_two_people_are_not_verified(
    client: httpx.AsyncClient, obama: bytes, biden: bytes
) -> None:
    answer = (await client.post("/verify", files={"image_a": obama, "image_b": biden})).json()
    assert answer["verified"] is False
    assert answer["distance"] > 1.242
    assert 0 <= answer["score"] < 50


async def test_a_form_and_json_give_the_same_answer(client: httpx.AsyncClient, obama: bytes, obama2: bytes) -> None:
    form = await client.post("/verify", files={"image_a": obama, "image_b": obama2})
    json = await verify(client, base64_image(obama), base64_image(obama2))
    data_uri = {"base64": "data:image/jpeg;base64," + base64_image(obama)["base64"]}
    assert (await verify(client, data_uri, base64_image(obama2))).json() == json.json() == form.json()


async def test_the_threshold_of_the_query_is_used(client: httpx.AsyncClient, obama: bytes, obama2: bytes) -> None:
    answer = (await verify(client, base64_image(obama), base64_image(obama2), threshold=0.01)).json()
    assert (answer["verified"], answer["threshold"]) == (False, 0.01)


async def test_the_fmr_that_the_caller_accepts_chooses_the_threshold(
    client: httpx.AsyncClient, obama: bytes, obama2: bytes
) -> None:
    answer = (await verify(client, base64_image(obama), base64_image(obama2), max_fmr=1e-4)).json()
    assert answer["fmr"] == pytest.approx(1e-4, rel=0.01)
    assert answer["threshold"] < 1.242
    assert answer["verified"] is (answer["distance"] < answer["threshold"])


async def test_a_threshold_that_was_not_measured_has_no_rates_but_a_reason(
    client: httpx.AsyncClient, obama: bytes, obama2: bytes
) -> None:
    answer = (await verify(client, base64_image(obama), base64_image(obama2), threshold=0.2)).json()
    assert (answer["fmr"], answer["fnmr"]) == (None, None)
    assert (
        "The threshold is below 0.96, the lowest that was measured. So the FMR is not above" in answer["rates_missing"]
    )


async def test_a_threshold_above_the_measured_ones_has_an_fmr_that_is_not_below_the_highest(
    client: httpx.AsyncClient, obama: bytes, obama2: bytes
) -> None:
    answer = (await verify(client, base64_image(obama), base64_image(obama2), threshold=3.9)).json()
    assert "the highest that was measured. So the FMR is not below" in answer["rates_missing"]


async def test_the_option_of_an_identification_is_refused_with_the_one_of_a_verification(
    client: httpx.AsyncClient, obama: bytes
) -> None:
    answer = await verify(client, base64_image(obama), base64_image(obama), max_fpir=0.01)
    assert answer.status_code == 422
    assert "The option of /verify is max_fmr" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("max_fmr", ["0", "1", "-1", "NaN", "inf", "x"])
async def test_an_fmr_that_is_no_rate_is_refused(client: httpx.AsyncClient, obama: bytes, max_fmr: str) -> None:
    answer = await verify(client, base64_image(obama), base64_image(obama), max_fmr=max_fmr)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["where"] == "query.max_fmr"


async def test_an_fmr_below_the_measured_ones_is_refused(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await verify(client, base64_image(obama), base64_image(obama), max_fmr=1e-12)
    assert (answer.status_code, answer.json()["code"]) == (422, "rate_not_measured")


async def test_a_threshold_and_an_fmr_together_are_refused(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await verify(client, base64_image(obama), base64_image(obama), max_fmr=0.001, threshold=1.1)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_option")


async def test_an_embedding_can_replace_a_photograph(
    client: httpx.AsyncClient, obama: bytes, obama_embedding: list[float], model_id: str
) -> None:
    embedding_image = {"embedding": obama_embedding, "model": model_id}
    answer = (await verify(client, embedding_image, base64_image(obama))).json()
    assert answer["distance"] == pytest.approx(0, abs=1e-5)
    assert answer["image_a"] == {
        "face": {"box": None, "landmarks": None, "detection_score": None, "roll": None, "quality": None},
        "faces_found": None,
        "warnings": [],
    }


async def test_an_enrolled_face_and_a_subject_can_replace_photographs(
    client: httpx.AsyncClient, collection: str, obama: bytes, obama2: bytes
) -> None:
    await client.put(f"{collection}/subjects/obama", json={})
    enrolled = await client.post(f"{collection}/subjects/obama/faces", files=[("images", obama), ("images", obama2)])
    name = collection.rpartition("/")[2]
    face_image = {"face": enrolled.json()["results"][0]["face"], "collection": name}
    assert (await verify(client, face_image, base64_image(obama))).json()["distance"] == pytest.approx(0, abs=1e-5)
    subject_image = {"subject": "obama", "collection": name}
    assert (await verify(client, subject_image, base64_image(obama2))).json()["distance"] == pytest.approx(0, abs=1e-5)


async def test_the_rates_against_a_subject_are_those_of_all_its_faces(
    client: httpx.AsyncClient, collection: str, photographs: Path, obama: bytes, obama2: bytes
) -> None:
    obama3 = (photographs / "obama" / "obama3.jpg").read_bytes()
    await client.put(f"{collection}/subjects/obama", json={})
    await client.post(f"{collection}/subjects/obama/faces", files=[("images", obama), ("images", obama2)])
    subject = {"subject": "obama", "collection": collection.rpartition("/")[2]}
    one = (await verify(client, base64_image(obama), base64_image(obama3), max_fmr=1e-4)).json()
    two = (await verify(client, subject, base64_image(obama3), max_fmr=1e-4)).json()
    assert one["fmr"] == two["fmr"] == 1e-4
    assert two["threshold"] < one["threshold"]
    same = (await verify(client, subject, base64_image(obama3), threshold=one["threshold"])).json()
    assert same["fmr"] == pytest.approx(2e-4, rel=0.01)
    refused = await verify(client, subject, base64_image(obama3), max_fmr=4e-6)
    assert (refused.status_code, refused.json()["code"]) == (422, "rate_not_measured")
    assert "the nearest of 2 pairs of faces" in refused.json()["detail"]


async def test_the_error_names_the_image_without_a_face(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/verify", files={"image_a": obama, "image_b": png_without_face()})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["image"]) == ("no_face", "image_b")


@pytest.mark.parametrize(
    ("image", "status", "code"),
    [
        ({"face": "nobody", "collection": "default"}, 404, "face_not_found"),
        ({"subject": "nobody", "collection": "default"}, 404, "subject_not_found"),
        ({"face": "nobody", "collection": "nowhere"}, 404, "collection_not_found"),
        ({"embedding": [1.0, 0.0], "model": "0" * 64}, 409, "model_mismatch"),
        ({"base64": "bm90IGFuIGltYWdl"}, 422, "unreadable_image"),
        ({"base64": "%%%"}, 422, "invalid_request"),
        ({"base64": "", "face": "x"}, 422, "invalid_request"),
        ({"url": "http://127.0.0.1/a.jpg"}, 422, "invalid_request"),
        ({}, 422, "invalid_request"),
        ("obama.jpg", 422, "invalid_request"),
        (None, 422, "invalid_request"),
    ],
)
async def test_an_invalid_image_is_refused(
    client: httpx.AsyncClient, obama: bytes, image: Any, status: int, code: str
) -> None:
    answer = await verify(client, image, base64_image(obama))
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([1.0] + [0.0] * 126, "has 127 numbers, and this model needs 128"),
        ([0.0] * 128, "is zero"),
        ([2.0] + [0.0] * 127, "length of the embedding is 2"),
        ([1e308] * 128, "not finite"),
    ],
)
async def test_an_embedding_that_cannot_be_compared_is_refused(
    client: httpx.AsyncClient, obama: bytes, model_id: str, numbers: list[float], message: str
) -> None:
    answer = await verify(client, {"embedding": numbers, "model": model_id}, base64_image(obama))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_embedding")
    assert message in answer.json()["detail"]
    assert answer.json()["image"] == "image_a"


@pytest.mark.parametrize("threshold", ["-0.1", "4.1", "nan", "inf", "near", ""])
async def test_a_threshold_outside_of_0_to_4_is_refused(
    client: httpx.AsyncClient, obama: bytes, threshold: str
) -> None:
    answer = await verify(client, base64_image(obama), base64_image(obama), threshold=threshold)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "query.threshold"


@pytest.mark.parametrize("number", ["1.0", True, None, [1.0]])
async def test_an_embedding_with_a_value_that_is_not_a_number_is_refused(
    client: httpx.AsyncClient, obama: bytes, model_id: str, number: Any
) -> None:
    embedding_image = {"embedding": [number] + [0.0] * 127, "model": model_id}
    answer = await verify(client, embedding_image, base64_image(obama))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "body.image_a.embedding.0"
