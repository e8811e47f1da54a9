"""Collections, subjects and faces: plain resources."""

from typing import Any

import httpx
import pytest

from tests.pictures import as_json, meadow

pytestmark = pytest.mark.anyio


async def test_the_default_collection_is_there_from_the_start(client: httpx.AsyncClient) -> None:
    assert (await client.get("/collections/default")).json()["id"] == "default"


async def test_a_collection_is_created_once(client: httpx.AsyncClient, collection: str) -> None:
    again = await client.put(collection)
    assert (again.status_code, again.json()["faces"], again.json()["model"]) == (200, 0, None)


async def test_a_collection_is_bound_to_the_model_of_its_first_face(
    client: httpx.AsyncClient, collection: str, obama: bytes, model_id: str
) -> None:
    await client.put(f"{collection}/subjects/obama", json={})
    await client.post(f"{collection}/subjects/obama/faces", files={"images": obama})
    found = (await client.get(collection)).json()
    assert (found["model"], found["subjects"], found["faces"]) == (model_id, 1, 1)


async def test_deleting_twice_is_404(client: httpx.AsyncClient, collection: str, obama: bytes) -> None:
    subject = f"{collection}/subjects/obama"
    await client.put(subject, json={})
    enrolled = await client.post(f"{subject}/faces", files={"images": obama})
    face = f"{collection}/faces/{enrolled.json()['results'][0]['face']}"
    for path, code in ((face, "face_not_found"), (subject, "subject_not_found"), (collection, "collection_not_found")):
        assert (await client.delete(path)).status_code == 204
        again = await client.delete(path)
        assert (again.status_code, again.json()["code"]) == (404, code)


async def test_a_subject_is_created_with_an_id_or_gets_one(client: httpx.AsyncClient, collection: str) -> None:
    made = await client.post(f"{collection}/subjects", json={"name": "Ada"})
    assert made.status_code == 201
    assert (await client.get(f"{collection}/subjects/{made.json()['id']}")).json()["name"] == "Ada"
    given = await client.post(f"{collection}/subjects", json={"id": "ada", "metadata": {"team": 1}})
    assert (given.json()["id"], given.json()["metadata"]) == ("ada", {"team": 1})
    taken = await client.post(f"{collection}/subjects", json={"id": "ada"})
    assert (taken.status_code, taken.json()["code"]) == (409, "subject_exists")


async def test_put_replaces_and_patch_changes(client: httpx.AsyncClient, collection: str) -> None:
    path = f"{collection}/subjects/ada"
    assert (await client.put(path, json={"name": "Ada", "metadata": {"a": 1}})).status_code == 201
    patched = await client.patch(path, json={"metadata": {"b": 2}})
    assert (patched.json()["name"], patched.json()["metadata"]) == ("Ada", {"b": 2})
    replaced = await client.put(path, json={"name": "Countess"})
    assert (replaced.status_code, replaced.json()["metadata"]) == (200, {})
    assert (await client.patch(path, json={"name": None})).json()["name"] is None


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "x" * 10_000},
        {"name": "a\u0000b"},
        {"name": "line\nbreak"},
        {"name": "\u0085"},
        {"name": 5},
        {"metadata": {"x": "y" * 5000}},
        {"metadata": []},
        {"metadata": None},
        {"age": 5},
    ],
)
async def test_what_cannot_be_known_of_a_subject_is_refused(
    client: httpx.AsyncClient, collection: str, fields: dict[str, Any]
) -> None:
    answer = await client.put(f"{collection}/subjects/ada", json=fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert (await client.get(f"{collection}/subjects/ada")).status_code == 404


@pytest.mark.parametrize("name", ["Zoë Kravitz", "'; DROP TABLE subjects; --", "名前", "\U0001f600", "x" * 256, ""])
async def test_names_are_kept_as_they_are(client: httpx.AsyncClient, collection: str, name: str) -> None:
    await client.put(f"{collection}/subjects/somebody", json={"name": name})
    assert (await client.get(f"{collection}/subjects/somebody")).json()["name"] == name


@pytest.mark.parametrize("bad", ["-x", ".", "x" * 129, "a b", "%00", "a%0A", "ä", "%ED%A0%80"])
async def test_ids_are_letters_digits_and_few_signs(client: httpx.AsyncClient, bad: str) -> None:
    assert (await client.put(f"/collections/{bad}")).status_code in {404, 405, 422}


async def test_a_form_is_no_subject(client: httpx.AsyncClient, collection: str) -> None:
    answer = await client.put(f"{collection}/subjects/ada", files={"name": b"Ada"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_lists_come_in_pages(client: httpx.AsyncClient, collection: str) -> None:
    for name in ("ada", "bob", "cyd"):
        await client.put(f"{collection}/subjects/{name}", json={})
    first = (await client.get(f"{collection}/subjects", params={"limit": 2})).json()
    assert [one["id"] for one in first["items"]] == ["ada", "bob"]
    rest = await client.get(f"{collection}/subjects", params={"limit": 2, "cursor": first["next_cursor"]})
    assert [one["id"] for one in rest.json()["items"]] == ["cyd"]
    assert rest.json()["next_cursor"] is None
    assert (await client.get(f"{collection}/subjects?limit=1001")).status_code == 422


async def test_enrolment_says_what_became_of_each_image(
    client: httpx.AsyncClient, collection: str, obama: bytes, pair: bytes
) -> None:
    subject = f"{collection}/subjects/obama"
    await client.put(subject, json={})
    files = [("images", one) for one in (obama, pair, meadow(), b"", obama)]
    answer = await client.post(f"{subject}/faces", files=files)
    assert answer.status_code == 201
    results = answer.json()["results"]
    assert [one["status"] for one in results] == ["enrolled", "refused", "refused", "refused", "known"]
    assert [one["code"] for one in results] == [None, "several_faces", "no_face", "unreadable_image", None]
    assert results[4]["face"] == results[0]["face"]
    assert results[0]["box"]["width"] > 50
    assert (await client.get(subject)).json()["faces"] == 1


async def test_enrolling_the_same_again_is_told_with_the_existing_face(
    client: httpx.AsyncClient, collection: str, obama: bytes
) -> None:
    faces = f"{collection}/subjects/obama/faces"
    await client.put(f"{collection}/subjects/obama", json={})
    first = (await client.post(faces, files={"images": obama})).json()["results"][0]
    again = await client.post(faces, json={"images": [as_json(obama)]})
    assert again.status_code == 200
    assert (again.json()["results"][0]["status"], again.json()["results"][0]["face"]) == ("known", first["face"])
    (listed,) = (await client.get(faces)).json()["items"]
    assert listed["id"] == first["face"]


async def test_a_photograph_of_somebody_else_is_refused(
    client: httpx.AsyncClient, collection: str, obama: bytes
) -> None:
    for name in ("obama", "biden"):
        await client.put(f"{collection}/subjects/{name}", json={})
    await client.post(f"{collection}/subjects/obama/faces", files={"images": obama})
    answer = await client.post(f"{collection}/subjects/biden/faces", files={"images": obama})
    assert (answer.status_code, answer.json()["code"]) == (422, "nothing_enrolled")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["results"][0]["code"] == "known_elsewhere"


async def test_the_main_face_is_taken_where_that_is_asked_for(
    client: httpx.AsyncClient, collection: str, pair: bytes
) -> None:
    await client.put(f"{collection}/subjects/somebody", json={})
    answer = await client.post(f"{collection}/subjects/somebody/faces?on_several=main", files={"images": pair})
    assert answer.status_code == 201
    assert answer.json()["results"][0]["warnings"][0]["code"] == "several_faces"


async def test_a_face_is_enrolled_from_an_embedding_but_not_from_a_claim(
    client: httpx.AsyncClient, collection: str, obama_embedding: list[float], model_id: str
) -> None:
    await client.put(f"{collection}/subjects/obama", json={})
    faces = f"{collection}/subjects/obama/faces"
    given = {"embedding": obama_embedding, "model": model_id}
    assert (await client.post(faces, json={"images": [given]})).status_code == 201
    claim = {"subject": "obama", "collection": collection.rpartition("/")[2]}
    refused = await client.post(faces, json={"images": [claim]})
    assert refused.json()["results"][0]["code"] == "invalid_option"


async def test_a_face_that_is_not_there_is_one_refused_result(
    client: httpx.AsyncClient, collection: str, obama: bytes
) -> None:
    await client.put(f"{collection}/subjects/obama", json={})
    missing = {"face": "nobody", "collection": collection.rpartition("/")[2]}
    answer = await client.post(f"{collection}/subjects/obama/faces", json={"images": [missing, as_json(obama)]})
    assert answer.status_code == 201
    assert [one["status"] for one in answer.json()["results"]] == ["refused", "enrolled"]
    assert answer.json()["results"][0]["code"] == "face_not_found"


async def test_nobody_is_enrolled_in_an_unknown_collection(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/collections/nowhere/subjects/obama/faces", files={"images": obama})
    assert (answer.status_code, answer.json()["code"]) == (404, "collection_not_found")
    answer = await client.post("/collections/default/subjects/nobody/faces", files={"images": obama})
    assert (answer.status_code, answer.json()["code"]) == (404, "subject_not_found")
