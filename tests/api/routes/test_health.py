import httpx
import pytest

from service.domain.errors import IndexBuilding
from service.gallery.search.in_memory.collection_index import CollectionIndex
from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.anyio


async def test_the_service_is_alive_and_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "alive"}
    assert (await client.get("/readyz")).json() == {"status": "ready"}


async def test_a_search_is_refused_while_the_index_of_a_large_collection_is_built(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_index: CollectionIndex, *_arguments: object) -> None:
        raise IndexBuilding

    monkeypatch.setattr(CollectionIndex, "search", refuse)
    monkeypatch.setattr(CollectionIndex, "require_built", refuse)
    probe = {"image": {"embedding": [1.0] + [0.0] * 127, "model": (await client.get("/model")).json()["id"]}}
    for answer in (await client.get("/readyz"), await client.post("/identify", json=probe)):
        assert answer.status_code == 503
        assert answer.json()["code"] == "index_building"
        assert int(answer.headers["retry-after"]) > 0


async def test_an_answer_names_the_loaded_model(client: httpx.AsyncClient, model_id: str) -> None:
    answer = (await client.post("/embed", files={"images": png_without_face()})).json()
    assert answer["model"] == {"name": "sface", "id": model_id, "dimension": 128}


async def test_the_metrics_are_exposed(client: httpx.AsyncClient, obama: bytes) -> None:
    await client.post("/verify", files={"image_a": obama, "image_b": obama})
    text = (await client.get("/metrics")).text
    for name in (
        'face_stage_seconds_count{stage="decode"}',
        'face_stage_seconds_count{stage="embed"}',
        "face_batch_crops_count",
        "face_queued_crops",
        "face_gallery_faces",
        'face_decisions_total{decision="verify",outcome="match"}',
        'face_request_seconds_count{method="POST",route="/verify",status="200"}',
    ):
        assert name in text


async def test_an_answer_has_the_duration_of_each_stage(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/embed", files={"images": obama})
    timing = answer.headers["server-timing"]
    for name in ("decode", "detect", "landmarks", "align", "queue", "embed", "total"):
        assert f"{name};dur=" in timing


async def test_a_request_keeps_a_valid_id_or_gets_a_new_one(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez", headers={"x-request-id": "abc-1"})).headers["x-request-id"] == "abc-1"
    new_id = (await client.get("/livez", headers={"x-request-id": "a\tb" * 50})).headers["x-request-id"]
    assert len(new_id) == 32


async def test_the_docs_load_nothing_from_other_hosts(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    assert "http://" not in page.replace("http://localhost", "")
    assert "https://" not in page
    assert (await client.get("/static-offline-docs/swagger-ui-bundle.js")).status_code == 200


async def test_an_unknown_query_parameter_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez?verbose=1")).status_code == 422
