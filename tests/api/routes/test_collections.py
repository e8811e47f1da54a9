"""Collections over HTTP: how long they keep faces, and their indexes."""

import json
from datetime import UTC, datetime

import httpx
import pytest

from service.api.schemas.collections import IndexAnswer
from service.gallery.search_values import Agreement, IndexState

pytestmark = pytest.mark.anyio


async def test_a_collection_keeps_its_faces_for_ever_by_default(client: httpx.AsyncClient, collection: str) -> None:
    assert (await client.get(collection)).json()["expires_after_days"] is None


async def test_patch_changes_the_rule_and_put_does_not(client: httpx.AsyncClient, collection: str) -> None:
    changed = await client.patch(collection, json={"expires_after_days": 30})
    assert (changed.status_code, changed.json()["expires_after_days"]) == (200, 30)
    assert (await client.patch(collection, json={})).json()["expires_after_days"] == 30
    again = await client.put(collection, json={"expires_after_days": 5})
    assert (again.status_code, again.json()["expires_after_days"]) == (200, 30)
    assert (await client.patch(collection, json={"expires_after_days": None})).json()["expires_after_days"] is None


async def test_put_creates_a_collection_with_a_rule_or_without_a_body(client: httpx.AsyncClient) -> None:
    created = await client.put("/collections/visitors", json={"expires_after_days": 30})
    assert (created.status_code, created.json()["expires_after_days"]) == (201, 30)
    assert (await client.get("/collections/visitors")).json() == created.json()
    await client.delete("/collections/visitors")
    assert (await client.put("/collections/visitors")).status_code == 201
    await client.delete("/collections/visitors")


@pytest.mark.parametrize("days", [0, -1, 36_501, 1.5, "30", True])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_rule_out_of_range_is_refused(
    client: httpx.AsyncClient, collection: str, method: str, days: object
) -> None:
    answer = await client.request(method, collection, json={"expires_after_days": days})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["where"] == "body.expires_after_days"


async def test_a_rule_of_a_collection_that_does_not_exist_is_404(client: httpx.AsyncClient) -> None:
    answer = await client.patch("/collections/nobody", json={"expires_after_days": 30})
    assert (answer.status_code, answer.json()["code"]) == (404, "collection_not_found")


async def test_a_collection_says_whether_its_index_is_exact(client: httpx.AsyncClient, collection: str) -> None:
    assert (await client.get(collection)).json()["index"] is None
    model = (await client.get("/model")).json()
    line = {"subject": "ada", "model": model["id"], "embedding": [1.0] + [0.0] * (model["dimension"] - 1)}
    await client.post(f"{collection}/faces", content=json.dumps(line), headers={"content-type": "application/x-ndjson"})
    exact = {"exact": True, "agreement": None}
    assert (await client.get(collection)).json()["index"] == exact
    listed = (await client.get("/collections")).json()["items"]
    assert next(one for one in listed if collection.endswith(f"/{one['id']}"))["index"] == exact
    assert "face_index_agreement 1.0" in (await client.get("/metrics")).text


def test_a_compressed_index_is_shown_with_its_agreement() -> None:
    now = datetime.now(UTC)
    state = IndexState(is_exact=False, agreement=Agreement(faces=1000, found=998, measured_at=now))
    agreement = {"faces": 1000, "share": 0.998, "measured_at": now}
    assert IndexAnswer.of(state).model_dump() == {"exact": False, "agreement": agreement}


async def test_an_export_of_a_subject_without_faces_is_complete(client: httpx.AsyncClient, collection: str) -> None:
    subject = (await client.put(f"{collection}/subjects/ada", json={"name": "Ada"})).json()
    exported = (await client.get(f"{collection}/subjects/ada/export")).json()
    assert exported.pop("audit")[0]["event"] == "change"
    models = {"model": None, "other_model": None}
    assert exported == {"collection": collection.rpartition("/")[2], "subject": subject, **models, "faces": []}


async def test_a_deletion_has_a_receipt_and_a_merge_has_none(client: httpx.AsyncClient, collection: str) -> None:
    for subject in ("ada", "countess"):
        await client.put(f"{collection}/subjects/{subject}", json={})
    merged = await client.post(f"{collection}/subjects/ada/merge", json={"from": "countess"})
    deleted = await client.delete(f"{collection}/subjects/ada")
    assert "x-deletion-receipt" not in merged.headers
    number, digits = deleted.headers["x-deletion-receipt"].split("-")
    assert (int(number) > 0, len(digits)) == (True, 32)
