import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.support.sample_images import base64_image, png_without_face

pytestmark = pytest.mark.anyio


@pytest.fixture
async def filled_collection(client: httpx.AsyncClient, collection: str, obama: bytes, biden: bytes) -> str:
    """Enrol two people, and return the id of their collection."""
    for name, photograph in (("obama", obama), ("biden", biden)):
        await client.put(f"{collection}/subjects/{name}", json={"name": name.title()})
        answer = await client.post(f"{collection}/subjects/{name}/faces", files={"images": photograph})
        assert answer.status_code == 201
    return collection.rpartition("/")[2]


async def test_an_enrolled_person_is_found(client: httpx.AsyncClient, filled_collection: str, obama2: bytes) -> None:
    answer = (await client.post("/identify", params={"collection": filled_collection}, files={"image": obama2})).json()
    (face,) = answer["faces"]
    assert (face["decision"], face["subject"]) == ("match", "obama")
    assert [(candidate["subject"], candidate["name"]) for candidate in face["candidates"]] == [
        ("obama", "Obama"),
        ("biden", "Biden"),
    ]
    assert (
        face["distance"] == face["candidates"][0]["distance"] < answer["threshold"] < face["candidates"][1]["distance"]
    )
    assert (answer["gallery_size"], answer["fpir_missing"]) == (2, None)
    assert 0 < answer["fpir"] <= 0.01


async def test_a_person_who_is_not_enrolled_is_unknown(
    client: httpx.AsyncClient, filled_collection: str, photographs: Any
) -> None:
    photograph = (photographs / "eileen_collins" / "astronaut.png").read_bytes()
    (face,) = (
        await client.post("/identify", params={"collection": filled_collection}, files={"image": photograph})
    ).json()["faces"]
    assert (face["decision"], face["subject"], face["distance"]) == ("unknown", None, None)
    assert len(face["candidates"]) == 2


async def identify(client: httpx.AsyncClient, collection: str, photograph: bytes, **options: Any) -> httpx.Response:
    return await client.post("/identify", params={"collection": collection, **options}, files={"image": photograph})


async def test_the_fpir_that_the_caller_accepts_chooses_the_threshold(
    client: httpx.AsyncClient, filled_collection: str, obama2: bytes
) -> None:
    low, high = [(await identify(client, filled_collection, obama2, max_fpir=fpir)).json() for fpir in (0.001, 0.1)]
    assert (low["fpir"], high["fpir"]) == (pytest.approx(0.001, rel=0.01), pytest.approx(0.1, rel=0.01))
    assert low["threshold"] < 1.242 < high["threshold"]


async def test_in_a_small_collection_the_default_threshold_is_that_of_a_verification(
    client: httpx.AsyncClient, filled_collection: str, obama2: bytes
) -> None:
    assert (await identify(client, filled_collection, obama2)).json()["threshold"] == 1.242


async def test_in_an_empty_collection_nobody_gets_a_match(
    client: httpx.AsyncClient, collection: str, obama2: bytes
) -> None:
    for options in ({}, {"max_fpir": 0.01}):
        answer = (await identify(client, collection.rpartition("/")[2], obama2, **options)).json()
        assert (answer["gallery_size"], answer["fpir"], answer["faces"][0]["decision"]) == (0, 0.0, "unknown")


async def test_a_threshold_that_was_not_measured_has_no_fpir_but_a_reason(
    client: httpx.AsyncClient, filled_collection: str, obama2: bytes
) -> None:
    answer = (await identify(client, filled_collection, obama2, threshold=0.1)).json()
    assert answer["fpir"] is None
    assert (
        "The threshold is below 0.96, the lowest that was measured. So the FPIR is not above" in answer["fpir_missing"]
    )


async def test_the_option_of_a_verification_is_refused_with_the_one_of_an_identification(
    client: httpx.AsyncClient, filled_collection: str, obama2: bytes
) -> None:
    answer = await identify(client, filled_collection, obama2, max_fmr=0.01)
    assert answer.status_code == 422
    assert "the option of /identify is max_fpir" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("max_fpir", ["0", "1", "-1", "NaN", "inf", "x"])
async def test_an_fpir_that_is_no_rate_is_refused(
    client: httpx.AsyncClient, filled_collection: str, obama2: bytes, max_fpir: str
) -> None:
    answer = await identify(client, filled_collection, obama2, max_fpir=max_fpir)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_an_fpir_below_the_measured_ones_is_refused(
    client: httpx.AsyncClient, filled_collection: str, obama2: bytes
) -> None:
    answer = await identify(client, filled_collection, obama2, max_fpir=1e-12)
    assert (answer.status_code, answer.json()["code"]) == (422, "rate_not_measured")


async def test_a_threshold_and_an_fpir_together_are_refused(
    client: httpx.AsyncClient, filled_collection: str, obama2: bytes
) -> None:
    answer = await identify(client, filled_collection, obama2, max_fpir=0.01, threshold=1.1)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_option")


async def test_k_limits_the_candidates(client: httpx.AsyncClient, filled_collection: str, obama2: bytes) -> None:
    answer = await client.post("/identify", params={"collection": filled_collection, "k": 1}, files={"image": obama2})
    assert [candidate["subject"] for candidate in answer.json()["faces"][0]["candidates"]] == ["obama"]


async def test_a_subject_with_several_faces_is_one_candidate(
    client: httpx.AsyncClient, collection: str, obama: bytes, obama2: bytes
) -> None:
    await client.put(f"{collection}/subjects/obama", json={})
    await client.post(f"{collection}/subjects/obama/faces", files=[("images", obama), ("images", obama2)])
    name = collection.rpartition("/")[2]
    answer = (await client.post("/identify", params={"collection": name}, json={"image": base64_image(obama)})).json()
    (candidate,) = answer["faces"][0]["candidates"]
    assert candidate["distance"] == pytest.approx(0, abs=1e-5)
    assert answer["gallery_size"] == 2


async def test_the_threshold_of_the_query_is_used(
    client: httpx.AsyncClient, filled_collection: str, obama2: bytes
) -> None:
    options: dict[str, str | float] = {"collection": filled_collection, "threshold": 0.05}
    answer = await client.post("/identify", params=options, files={"image": obama2})
    assert answer.json()["faces"][0]["decision"] == "unknown"


async def test_a_photograph_without_a_face_gives_no_faces(client: httpx.AsyncClient, filled_collection: str) -> None:
    answer = await client.post(
        "/identify", params={"collection": filled_collection}, files={"image": png_without_face()}
    )
    assert (answer.status_code, answer.json()["faces"]) == (200, [])


async def test_every_face_is_unknown_in_an_empty_collection(
    client: httpx.AsyncClient, collection: str, obama: bytes
) -> None:
    name = collection.rpartition("/")[2]
    answer = (await client.post("/identify", params={"collection": name}, files={"image": obama})).json()
    assert (answer["faces"][0]["decision"], answer["faces"][0]["candidates"]) == ("unknown", [])


async def test_every_face_of_a_photograph_is_identified(
    client: httpx.AsyncClient, filled_collection: str, two_people: bytes
) -> None:
    answer = await client.post("/identify", params={"collection": filled_collection}, files={"image": two_people})
    assert {face["subject"] for face in answer.json()["faces"]} == {"obama", "biden"}


@pytest.mark.parametrize("k", ["0", "-1", "101", "1000000000", "1.5", "many"])
async def test_k_out_of_range_is_refused(client: httpx.AsyncClient, obama: bytes, k: str) -> None:
    answer = await client.post("/identify", params={"k": k}, files={"image": obama})
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "query.k")


async def test_an_unknown_collection_is_404(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/identify", params={"collection": "nowhere"}, files={"image": obama})
    assert (answer.status_code, answer.json()["code"]) == (404, "collection_not_found")


async def test_a_given_embedding_is_identified(
    client: httpx.AsyncClient, filled_collection: str, model_id: str
) -> None:
    embedding = np.eye(1, 128)[0].tolist()
    body = {"image": {"embedding": embedding, "model": model_id}}
    answer = (await client.post("/identify", params={"collection": filled_collection}, json=body)).json()
    assert answer["faces"][0]["box"] is None
    assert answer["faces"][0]["decision"] == "unknown"


async def test_two_faces_of_one_photograph_never_get_one_name(
    client: httpx.AsyncClient, filled_collection: str, same_person_twice: bytes
) -> None:
    options: dict[str, str | int] = {"collection": filled_collection, "k": 1}
    answer = (await client.post("/identify", params=options, files={"image": same_person_twice})).json()
    named, other = sorted(range(2), key=lambda face: answer["faces"][face]["decision"] == "unknown")
    assert answer["faces"][named]["subject"] == "obama"
    assert answer["faces"][named]["nearest_taken_by"] is None
    assert (answer["faces"][other]["subject"], answer["faces"][other]["decision"]) == (None, "unknown")
    assert answer["faces"][other]["nearest_taken_by"] == named
    assert [candidate["subject"] for candidate in answer["faces"][other]["candidates"]] == ["obama"]


async def test_a_face_that_lost_its_nearest_subject_gets_the_next_even_if_k_is_1(
    client: httpx.AsyncClient, filled_collection: str, same_person_twice: bytes
) -> None:
    options: dict[str, str | int] = {"collection": filled_collection, "k": 1, "threshold": 4, "margin": 0}
    faces = (await client.post("/identify", params=options, files={"image": same_person_twice})).json()["faces"]
    assert {face["subject"] for face in faces} == {"obama", "biden"}
    assert [len(face["candidates"]) for face in faces] == [1, 1]


async def test_a_collage_can_show_a_person_twice(
    client: httpx.AsyncClient, filled_collection: str, same_person_twice: bytes
) -> None:
    options = {"collection": filled_collection, "one_person_once": "false"}
    faces = (await client.post("/identify", params=options, files={"image": same_person_twice})).json()["faces"]
    assert [(face["subject"], face["nearest_taken_by"]) for face in faces] == [("obama", None)] * 2


async def test_all_embeddings_of_a_subject_can_be_one_person(
    client: httpx.AsyncClient, filled_collection: str, collection: str, obama2: bytes
) -> None:
    await client.post(f"{collection}/subjects/obama/faces", files={"images": obama2})
    body = {"image": {"subject": "obama", "collection": filled_collection}}
    answer = await client.post("/identify", params={"collection": filled_collection}, json=body)
    assert [face["subject"] for face in answer.json()["faces"]] == ["obama", "obama"]


@pytest.mark.parametrize("value", ["perhaps", "0", "False"])
async def test_another_value_than_true_or_false_is_refused(
    client: httpx.AsyncClient, filled_collection: str, obama: bytes, value: str
) -> None:
    options = {"collection": filled_collection, "one_person_once": value}
    answer = await client.post("/identify", params=options, files={"image": obama})
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "query.one_person_once")


@pytest.fixture
async def twins(client: httpx.AsyncClient, filled_collection: str, collection: str, obama: bytes) -> str:
    """Enrol one person under a second name too, as a twin would be. Return the id of the collection."""
    copy = io.BytesIO()
    Image.open(io.BytesIO(obama)).save(copy, "JPEG", quality=90)
    await client.put(f"{collection}/subjects/twin", json={})
    await client.post(f"{collection}/subjects/twin/faces", files={"images": copy.getvalue()})
    return filled_collection


async def test_a_face_that_is_equally_near_to_two_subjects_is_ambiguous_and_names_both(
    client: httpx.AsyncClient, twins: str, obama2: bytes
) -> None:
    answer = (await identify(client, twins, obama2, k=1)).json()
    (face,) = answer["faces"]
    assert (face["decision"], face["subject"], face["distance"], face["score"]) == ("ambiguous", None, None, None)
    assert {candidate["subject"] for candidate in face["between"]} == {"obama", "twin"}
    assert all(candidate["distance"] < answer["threshold"] for candidate in face["between"])
    assert (answer["margin"], len(face["candidates"])) == (10, 1)


async def test_a_margin_of_0_gives_the_nearest_of_two_equal_subjects(
    client: httpx.AsyncClient, twins: str, obama2: bytes
) -> None:
    (face,) = (await identify(client, twins, obama2, margin=0)).json()["faces"]
    assert (face["decision"], face["between"]) == ("match", [])
    assert face["subject"] in {"obama", "twin"}


async def test_a_clear_match_names_one_subject(
    client: httpx.AsyncClient, filled_collection: str, obama2: bytes
) -> None:
    (face,) = (await identify(client, filled_collection, obama2)).json()["faces"]
    assert (face["decision"], face["between"]) == ("match", [])


@pytest.mark.parametrize("margin", ["-1", "101", "NaN", "wide"])
async def test_a_margin_out_of_range_is_refused(
    client: httpx.AsyncClient, filled_collection: str, obama2: bytes, margin: str
) -> None:
    answer = await identify(client, filled_collection, obama2, margin=margin)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "query.margin")


async def test_a_match_has_a_score_above_50_and_a_smaller_distance_a_higher_score(
    client: httpx.AsyncClient, filled_collection: str, obama2: bytes
) -> None:
    (face,) = (await identify(client, filled_collection, obama2)).json()["faces"]
    near, far = (candidate["score"] for candidate in face["candidates"])
    assert face["score"] == near > 50 > far >= 0
