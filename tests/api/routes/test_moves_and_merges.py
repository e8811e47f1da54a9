"""Moving a face to another subject, and merging two subjects."""

from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
async def obama_face(client: httpx.AsyncClient, collection: str, obama: bytes) -> str:
    """Enrol a photograph of Obama for the subject `biden`. Return the path of the face."""
    for name in ("obama", "biden"):
        await client.put(f"{collection}/subjects/{name}", json={"name": name.title(), "metadata": {"of": name}})
    enrolled = await client.post(f"{collection}/subjects/biden/faces", files={"images": obama})
    return f"{collection}/faces/{enrolled.json()['results'][0]['face']}"


async def identify(client: httpx.AsyncClient, collection: str, photograph: bytes) -> dict[str, Any]:
    """Return the one face of an answer of /identify."""
    params = {"collection": collection.rpartition("/")[2]}
    answer = await client.post("/identify", params=params, files={"image": photograph})
    (face,) = answer.json()["faces"]
    return dict(face)


async def test_a_moved_face_is_identified_as_its_new_subject(
    client: httpx.AsyncClient, collection: str, obama_face: str, obama2: bytes
) -> None:
    before = (await client.get(obama_face)).json()
    assert (await identify(client, collection, obama2))["subject"] == "biden"
    answer = await client.patch(obama_face, json={"subject": "obama"})
    assert (answer.status_code, answer.json()) == (200, before | {"subject": "obama"})
    found = await identify(client, collection, obama2)
    assert (found["decision"], found["subject"]) == ("match", "obama")
    assert [(candidate["subject"], candidate["name"]) for candidate in found["candidates"]] == [("obama", "Obama")]
    assert (await client.get(f"{collection}/subjects/biden")).json()["faces"] == 0


async def test_a_move_to_the_same_subject_is_200_and_changes_nothing(
    client: httpx.AsyncClient, obama_face: str
) -> None:
    before = (await client.get(obama_face)).json()
    for _ in range(2):
        answer = await client.patch(obama_face, json={"subject": "biden"})
        assert (answer.status_code, answer.json()) == (200, before)


async def test_a_move_of_an_unknown_face_or_to_an_unknown_subject_or_collection_is_404(
    client: httpx.AsyncClient, collection: str, obama_face: str
) -> None:
    for path, subject, code in (
        (obama_face, "nobody", "subject_not_found"),
        (f"{collection}/faces/none", "obama", "face_not_found"),
        (f"{collection}/faces/none", "nobody", "face_not_found"),
        ("/collections/nowhere/faces/none", "obama", "collection_not_found"),
    ):
        answer = await client.patch(path, json={"subject": subject})
        assert (answer.status_code, answer.json()["code"]) == (404, code)
    answer = await client.patch(obama_face, json={"subject": "nobody"})
    assert answer.json()["detail"].startswith("The collection has no subject with the id in `subject`.")
    assert (await client.get(obama_face)).json()["subject"] == "biden"


@pytest.mark.parametrize("body", [{}, {"subject": None}, {"subject": "a b"}, {"subject": "obama", "id": "x"}, [], 5])
async def test_an_invalid_move_is_422(client: httpx.AsyncClient, obama_face: str, body: object) -> None:
    answer = await client.patch(obama_face, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_photograph_of_another_subject_is_refused_with_the_way_to_move_it(
    client: httpx.AsyncClient, collection: str, obama_face: str, obama: bytes
) -> None:
    """The photograph is enrolled once, so the refusal names the face, and says how to move it."""
    faces = f"{collection}/subjects/obama/faces"
    (result,) = (await client.post(faces, files={"images": obama})).json()["results"]
    assert (result["code"], f"{collection}/faces/{result['face']}") == ("known_elsewhere", obama_face)
    assert "PATCH" in result["detail"]
    await client.patch(obama_face, json={"subject": "obama"})
    (result,) = (await client.post(faces, files={"images": obama})).json()["results"]
    assert (result["status"], f"{collection}/faces/{result['face']}") == ("known", obama_face)


async def test_a_merge_moves_all_faces_and_deletes_the_other_subject(
    client: httpx.AsyncClient, collection: str, obama_face: str, obama2: bytes, biden: bytes
) -> None:
    subject = f"{collection}/subjects/obama"
    await client.post(f"{subject}/faces", files={"images": biden})
    answer = await client.post(f"{subject}/merge", json={"from": "biden"})
    assert answer.status_code == 200
    assert answer.json() == {"subject": (await client.get(subject)).json(), "moved": 1}
    merged = answer.json()["subject"]
    assert (merged["name"], merged["metadata"], merged["faces"]) == ("Obama", {"of": "obama"}, 2)
    assert (await client.get(obama_face)).json()["subject"] == "obama"
    assert (await client.get(f"{collection}/subjects/biden")).status_code == 404
    assert [candidate["subject"] for candidate in (await identify(client, collection, obama2))["candidates"]] == [
        "obama"
    ]


async def test_a_second_merge_is_404_and_names_the_field(
    client: httpx.AsyncClient, collection: str, obama_face: str
) -> None:
    merge = f"{collection}/subjects/obama/merge"
    assert (await client.post(merge, json={"from": "biden"})).json()["moved"] == 1
    again = await client.post(merge, json={"from": "biden"})
    assert (again.status_code, again.json()["code"]) == (404, "subject_not_found")
    assert "the id in `from`" in again.json()["detail"]
    assert (await client.get(obama_face)).json()["subject"] == "obama"


async def test_a_merge_with_itself_is_422(client: httpx.AsyncClient, collection: str, obama_face: str) -> None:
    answer = await client.post(f"{collection}/subjects/biden/merge", json={"from": "biden"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_option")
    assert (await client.get(obama_face)).json()["subject"] == "biden"


@pytest.mark.parametrize(
    "body", [{}, {"from": None}, {"from": "a b"}, {"source": "biden"}, {"from": "biden", "to": "x"}]
)
async def test_an_invalid_merge_is_422(client: httpx.AsyncClient, collection: str, body: object) -> None:
    await client.put(f"{collection}/subjects/obama", json={})
    answer = await client.post(f"{collection}/subjects/obama/merge", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
