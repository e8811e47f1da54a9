"""Options are in the query, each at most once."""

import httpx
import pytest

pytestmark = pytest.mark.anyio


async def test_an_unknown_option_is_refused_without_repeating_it(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/identify?treshold=1", files={"image": obama})
    assert answer.status_code == 422
    assert "treshold" not in answer.text


async def test_the_error_of_an_image_in_the_query_names_the_body(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/identify?image=x", files={"image": obama})
    assert answer.json()["errors"] == [
        {"where": "query.image", "message": "Images go into the body, and not into the query."}
    ]


@pytest.mark.parametrize("query", ["k=1&k=2", "k=1&k=1", "collection=default&collection=default", "x=1&x=1"])
async def test_a_repeated_option_is_refused(client: httpx.AsyncClient, obama: bytes, query: str) -> None:
    answer = await client.post(f"/identify?{query}", files={"image": obama})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["message"] == "Pass it once; it came more than once."


@pytest.mark.parametrize("query", ["k=", "threshold=", "collection=", "threshold=null", "k=%00", "collection=%ff"])
async def test_an_option_without_a_value_is_refused(client: httpx.AsyncClient, obama: bytes, query: str) -> None:
    answer = await client.post(f"/identify?{query}", files={"image": obama})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
