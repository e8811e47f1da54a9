import httpx
import pytest

from tests.pictures import meadow

pytestmark = pytest.mark.anyio


async def test_it_lives_and_is_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "alive"}
    assert (await client.get("/readyz")).json() == {"status": "ready"}


async def test_the_loaded_model_is_named_in_every_answer(client: httpx.AsyncClient, model_id: str) -> None:
    answer = (await client.post("/embed", files={"images": meadow()})).json()
    assert answer["model"] == {"name": "sface", "id": model_id, "dimension": 128}


async def test_the_figures_are_there(client: httpx.AsyncClient, obama: bytes) -> None:
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


async def test_every_answer_says_where_its_time_went(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/embed", files={"images": obama})
    timing = answer.headers["server-timing"]
    for name in ("decode", "detect", "landmarks", "align", "queue", "embed", "total"):
        assert f"{name};dur=" in timing


async def test_a_request_keeps_its_id_or_gets_one(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez", headers={"x-request-id": "abc-1"})).headers["x-request-id"] == "abc-1"
    made = (await client.get("/livez", headers={"x-request-id": "a\tb" * 50})).headers["x-request-id"]
    assert len(made) == 32


async def test_the_docs_need_no_other_host(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    assert "http://" not in page.replace("http://service", "")
    assert "https://" not in page
    assert (await client.get("/static-offline-docs/swagger-ui-bundle.js")).status_code == 200


async def test_a_query_that_means_nothing_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez?verbose=1")).status_code == 422
