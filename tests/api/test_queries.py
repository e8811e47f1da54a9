"""Options are in the query, each at most once."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from service.app import describe_app
from service.settings.environment import Settings

pytestmark = pytest.mark.anyio


OPERATIONS = [
    pytest.param(method.upper(), path, operation, id=operation["operationId"])
    for path, operations in describe_app(Settings()).openapi()["paths"].items()
    for method, operation in operations.items()
]


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
async def test_a_misspelt_option_of_any_call_is_named_with_the_options_that_there_are(
    client: httpx.AsyncClient, method: str, path: str, operation: dict[str, Any]
) -> None:
    options = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    misspelt = options[0].replace("e", "", 1) + "x" if options else "threshold"
    body = next(iter(operation.get("requestBody", {}).get("content", {})), None)
    example = operation["requestBody"]["content"][body]["examples"]["example"]["value"] if body else None
    answer = await client.request(
        method,
        path.format(collection="default", subject="ada", face="face-1", key_id="0123456789ab"),
        params={misspelt: "1"},
        content=None if body is None else example if isinstance(example, str) else json.dumps(example),
        headers={"content-type": body} if body else None,
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    takes = f"{path} takes: {', '.join(options)}." if options else f"{path} takes no options."
    asked = f"There is no option {misspelt}. Did you mean {options[0]}?" if options else "There is no such option."
    assert f"{asked} {takes}" in answer.json()["detail"]


async def test_a_misspelt_option_is_answered_with_the_nearest_one(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/verify?treshold=1", files={"image_a": obama, "image_b": obama})
    assert answer.json()["detail"] == (
        "query.treshold: There is no option treshold. Did you mean threshold? /verify takes: threshold, max_fmr. /docs "
        "shows what each call takes."
    )
    assert [error["where"] for error in answer.json()["errors"]] == ["query.treshold"]


@pytest.mark.parametrize(
    "name",
    [
        "lovelace",
        "threshold\n",
        "threshold\x1b[31m",
        "<threshold>",
        "thr\u0435shold",
        "threshold\u202e",
        "\x00",
        "",
        "threshold" * 50,
        "a" * 50_000,
    ],
)
async def test_an_unknown_option_that_is_no_misspelt_one_is_not_repeated(
    client: httpx.AsyncClient, obama: bytes, name: str
) -> None:
    answer = await client.post("/verify", params={name: "1"}, files={"image_a": obama, "image_b": obama})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"where": "query.(unknown)", "message": "There is no such option. /verify takes: threshold, max_fmr."}
    ]
    assert len(answer.content) < 1_000


@pytest.mark.parametrize("collection", ["my team", "a" * 129, "-a", "a\n"])
async def test_an_id_that_is_none_is_refused_in_words(client: httpx.AsyncClient, obama: bytes, collection: str) -> None:
    rule = (
        "An id has letters (a to z, A to Z), digits, `.`, `_` and `-`, begins with a letter or digit, and has at most "
        "128 characters."
    )
    answer = await client.post("/identify", params={"collection": collection}, files={"image": obama})
    assert answer.json()["errors"] == [{"where": "query.collection", "message": rule}]
    answer = await client.put(f"/collections/{quote(collection)}")
    assert answer.json()["errors"] == [{"where": "path.collection", "message": rule}]
    answer = await client.post("/collections/default/subjects", json={"id": collection, "name": "Ada\n"})
    assert answer.json()["errors"] == [
        {"where": "body.id", "message": rule},
        {"where": "body.name", "message": "A name has no control characters, such as a line break."},
    ]


async def test_many_unknown_options_are_answered_shortly(client: httpx.AsyncClient) -> None:
    answer = await client.get("/livez", params={f"thresh{number}": "1" for number in range(1_000)})
    assert (answer.status_code, len(answer.json()["errors"])) == (422, 10)
    assert len(answer.content) < 3_000


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
