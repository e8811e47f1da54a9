"""The routes of collections, subjects and faces."""

from typing import Any

import httpx
import pytest

from tests.support.sample_images import base64_image, png_without_face

pytestmark = pytest.mark.anyio


async def test_the_default_collection_exists_from_the_start(client: httpx.AsyncClient) -> None:
    assert (await client.get("/collections/default")).json()["id"] == "default"


async def test_creating_an_existing_collection_is_200(client: httpx.AsyncClient, collection: str) -> None:
    again = await client.put(collection)
    assert (again.status_code, again.json()["faces"], again.json()["model"]) == (200, 0, None)


async def test_a_collection_is_bound_to_the_model_of_its_first_face(
    client: httpx.AsyncClient, collection: str, obama: bytes, model_id: str
) -> None:
    await client.put(f"{collection}/subjects/obama", json={})
    await client.post(f"{collection}/subjects/obama/faces", files={"images": obama})
    described = (await client.get(collection)).json()
    assert (described["model"], described["subjects"], described["faces"]) == (model_id, 1, 1)


async def test_deleting_twice_is_404(client: httpx.AsyncClient, collection: str, obama: bytes) -> None:
    subject = f"{collection}/subjects/obama"
    await client.put(subject, json={})
    enrolled = await client.post(f"{subject}/faces", files={"images": obama})
    face = f"{collection}/faces/{enrolled.json()['results'][0]['face']}"
    for path, code in ((face, "face_not_found"), (subject, "subject_not_found"), (collection, "collection_not_found")):
        assert (await client.delete(path)).status_code == 204
        again = await client.delete(path)
        assert (again.status_code, again.json()["code"]) == (404, code)


async def test_a_subject_is_created_with_the_given_id_or_gets_one(client: httpx.AsyncClient, collection: str) -> None:
    without_id = await client.post(f"{collection}/subjects", json={"name": "Ada"})
    assert without_id.status_code == 201
    assert (await client.get(f"{collection}/subjects/{without_id.json()['id']}")).json()["name"] == "Ada"
    with_id = await client.post(f"{collection}/subjects", json={"id": "ada", "metadata": {"team": 1}})
    assert (with_id.json()["id"], with_id.json()["metadata"]) == ("ada", {"team": 1})
    existing = await client.post(f"{collection}/subjects", json={"id": "ada"})
    assert (existing.status_code, existing.json()["code"]) == (409, "subject_exists")


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
async def test_invalid_fields_of_a_subject_are_refused(
    client: httpx.AsyncClient, collection: str, fields: dict[str, Any]
) -> None:
    answer = await client.put(f"{collection}/subjects/ada", json=fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert (await client.get(f"{collection}/subjects/ada")).status_code == 404


@pytest.mark.parametrize("name", ["Zoë Kravitz", "'; DROP TABLE subjects; --", "名前", "\U0001f600", "x" * 256, ""])
async def test_names_are_stored_unchanged(client: httpx.AsyncClient, collection: str, name: str) -> None:
    await client.put(f"{collection}/subjects/somebody", json={"name": name})
    assert (await client.get(f"{collection}/subjects/somebody")).json()["name"] == name


@pytest.mark.parametrize("invalid_id", ["-x", ".", "x" * 129, "a b", "%00", "a%0A", "ä", "%ED%A0%80"])
async def test_an_invalid_id_is_refused(client: httpx.AsyncClient, invalid_id: str) -> None:
    assert (await client.put(f"/collections/{invalid_id}")).status_code in {404, 405, 422}


async def test_a_form_is_refused_as_a_subject(client: httpx.AsyncClient, collection: str) -> None:
    answer = await client.put(f"{collection}/subjects/ada", files={"name": b"Ada"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_a_list_is_returned_in_pages(client: httpx.AsyncClient, collection: str) -> None:
    for name in ("ada", "bob", "cyd"):
        await client.put(f"{collection}/subjects/{name}", json={})
    first_page = (await client.get(f"{collection}/subjects", params={"limit": 2})).json()
    assert [subject["id"] for subject in first_page["items"]] == ["ada", "bob"]
    last_page = await client.get(f"{collection}/subjects", params={"limit": 2, "cursor": first_page["next_cursor"]})
    assert [subject["id"] for subject in last_page.json()["items"]] == ["cyd"]
    assert last_page.json()["next_cursor"] is None
    assert (await client.get(f"{collection}/subjects?limit=1001")).status_code == 422


async def test_enrolment_returns_a_result_for_each_image(
    client: httpx.AsyncClient, collection: str, obama: bytes, two_people: bytes
) -> None:
    subject = f"{collection}/subjects/obama"
    await client.put(subject, json={})
    files = [("images", image) for image in (obama, two_people, png_without_face(), b"", obama)]
    answer = await client.post(f"{subject}/faces", files=files)
    assert answer.status_code == 201
    results = answer.json()["results"]
    assert [result["status"] for result in results] == ["enrolled", "refused", "refused", "refused", "known"]
    assert [result["code"] for result in results] == [None, "several_faces", "no_face", "unreadable_image", None]
    assert results[4]["face"] == results[0]["face"]
    assert results[0]["box"]["width"] > 50
    assert (await client.get(subject)).json()["faces"] == 1


async def test_enrolling_a_known_photograph_returns_the_existing_face(
    client: httpx.AsyncClient, collection: str, obama: bytes
) -> None:
    faces = f"{collection}/subjects/obama/faces"
    await client.put(f"{collection}/subjects/obama", json={})
    first = (await client.post(faces, files={"images": obama})).json()["results"][0]
    again = await client.post(faces, json={"images": [base64_image(obama)]})
    assert again.status_code == 200
    assert (again.json()["results"][0]["status"], again.json()["results"][0]["face"]) == ("known", first["face"])
    (listed,) = (await client.get(faces)).json()["items"]
    assert listed["id"] == first["face"]


async def test_a_photograph_that_is_enrolled_for_another_subject_is_refused(
    client: httpx.AsyncClient, collection: str, obama: bytes
) -> None:
    for name in ("obama", "biden"):
        await client.put(f"{collection}/subjects/{name}", json={})
    await client.post(f"{collection}/subjects/obama/faces", files={"images": obama})
    answer = await client.post(f"{collection}/subjects/biden/faces", files={"images": obama})
    assert (answer.status_code, answer.json()["code"]) == (422, "nothing_enrolled")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["results"][0]["code"] == "known_elsewhere"


async def test_the_main_face_is_enrolled_on_request(
    client: httpx.AsyncClient, collection: str, two_people: bytes
) -> None:
    await client.put(f"{collection}/subjects/somebody", json={})
    answer = await client.post(f"{collection}/subjects/somebody/faces?on_several=main", files={"images": two_people})
    assert answer.status_code == 201
    assert answer.json()["results"][0]["warnings"][0]["code"] == "several_faces"


async def test_a_face_is_enrolled_from_an_embedding_but_not_from_a_subject(
    client: httpx.AsyncClient, collection: str, obama_embedding: list[float], model_id: str
) -> None:
    await client.put(f"{collection}/subjects/obama", json={})
    faces = f"{collection}/subjects/obama/faces"
    embedding_image = {"embedding": obama_embedding, "model": model_id}
    assert (await client.post(faces, json={"images": [embedding_image]})).status_code == 201
    subject_image = {"subject": "obama", "collection": collection.rpartition("/")[2]}
    refused = await client.post(faces, json={"images": [subject_image]})
    assert refused.json()["results"][0]["code"] == "invalid_option"


async def test_an_unknown_face_is_refused_in_its_own_result(
    client: httpx.AsyncClient, collection: str, obama: bytes
) -> None:
    await client.put(f"{collection}/subjects/obama", json={})
    unknown_face = {"face": "nobody", "collection": collection.rpartition("/")[2]}
    answer = await client.post(
        f"{collection}/subjects/obama/faces", json={"images": [unknown_face, base64_image(obama)]}
    )
    assert answer.status_code == 201
    assert [result["status"] for result in answer.json()["results"]] == ["refused", "enrolled"]
    assert answer.json()["results"][0]["code"] == "face_not_found"


async def test_enrolment_in_an_unknown_collection_or_subject_is_404(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/collections/nowhere/subjects/obama/faces", files={"images": obama})
    assert (answer.status_code, answer.json()["code"]) == (404, "collection_not_found")
    answer = await client.post("/collections/default/subjects/nobody/faces", files={"images": obama})
    assert (answer.status_code, answer.json()["code"]) == (404, "subject_not_found")
