"""`/openapi.json` describes the real answers, and its examples work unchanged."""

import json
from typing import Any

import httpx
import pytest

from service.app import describe_app
from service.settings.environment import Settings

pytestmark = pytest.mark.anyio

DESCRIPTION: dict[str, Any] = describe_app(Settings()).openapi()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in DESCRIPTION["paths"].items()
    for method, operation in operations.items()
]
EXAMPLES = [
    pytest.param(method, path, example["value"], id=f"{method} {path}")
    for method, path, operation in OPERATIONS
    if path != "/keys"  # the first key closes the service: see test_keys.py
    for example in operation.get("requestBody", {})
    .get("content", {})
    .get("application/json", {})
    .get("examples", {})
    .values()
]


@pytest.mark.parametrize(("method", "path", "example"), EXAMPLES)
async def test_each_example_works_unchanged(
    client: httpx.AsyncClient, collection: str, method: str, path: str, example: dict[str, Any]
) -> None:
    if method != "POST" or not path.endswith("/subjects"):
        await client.put(f"{collection}/subjects/ada", json={})
    ids = {"subject": "ada"}
    if path.endswith("/merge"):
        ids = {"subject": "countess"}
        await client.put(f"{collection}/subjects/countess", json={})
    if "{face}" in path:
        faces = f"{collection}/subjects/ada/faces"
        enrolled = await client.post(faces, json=example_of("/collections/{collection}/subjects/{subject}/faces"))
        ids = {"face": enrolled.json()["results"][0]["face"]}
    real_path = path.replace("/collections/{collection}", collection).format(**ids)
    answer = await client.request(method, real_path, json=example)
    assert answer.is_success, answer.text


def test_each_body_has_an_example() -> None:
    json_bodies = len(EXAMPLES) + 1  # the example of /keys is not among them
    assert json_bodies + 1 == sum("requestBody" in operation for _, _, operation in OPERATIONS) == 14


async def test_the_example_of_a_bulk_enrolment_enrols_two_faces(client: httpx.AsyncClient, collection: str) -> None:
    operation = DESCRIPTION["paths"]["/collections/{collection}/faces"]["post"]
    example = operation["requestBody"]["content"]["application/x-ndjson"]["examples"]["example"]["value"]
    headers = {"Content-Type": "application/x-ndjson"}
    answer = await client.post(f"{collection}/faces", content=example, headers=headers)
    assert [json.loads(line)["status"] for line in answer.text.splitlines()] == ["enrolled", "enrolled"]
    schemas = DESCRIPTION["components"]["schemas"]
    assert {"subject", "model"} <= set(schemas["FaceLine"]["required"])
    assert set(json.loads(answer.text.splitlines()[0])) <= set(schemas["LineResult"]["properties"])


def example_of(path: str) -> dict[str, Any]:
    content = DESCRIPTION["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    return dict(content["examples"]["example"]["value"])


async def test_the_example_of_verify_is_verified(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/verify", json=example_of("/verify"))).json()
    assert answer["verified"] is True
    assert answer["image_a"]["faces_found"] == answer["image_b"]["faces_found"] == 1


async def test_the_example_of_identify_has_one_face(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/identify", json=example_of("/identify"))).json()
    assert len(answer["faces"]) == 1


async def test_the_example_of_cluster_is_one_person(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/cluster", json=example_of("/cluster"))).json()
    assert [cluster["size"] for cluster in answer["clusters"]] == [2]


@pytest.mark.parametrize(
    ("method", "path", "operation"), OPERATIONS, ids=lambda part: part if isinstance(part, str) else ""
)
def test_every_answer_is_described_with_its_headers(method: str, path: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        assert {"X-Request-ID", "Server-Timing"} <= set(response["headers"]), (method, path, status)
        assert ("Retry-After" in response["headers"]) == (status in {"429", "503"})
        if int(status) >= 400:
            assert list(response["content"]) == ["application/problem+json"]


def test_an_image_is_a_file_of_a_form_or_an_object_of_one_kind() -> None:
    content = DESCRIPTION["paths"]["/verify"]["post"]["requestBody"]["content"]
    form = content["multipart/form-data"]["schema"]
    assert form["properties"]["image_a"]["format"] == "binary"
    assert form["required"] == ["image_a", "image_b"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/VerifyBody"}
    kinds = DESCRIPTION["components"]["schemas"]["VerifyBody"]["properties"]["image_a"]["oneOf"]
    assert [kind["$ref"].rpartition("/")[2] for kind in kinds] == [
        "Base64Image",
        "EmbeddingImage",
        "FaceImage",
        "SubjectImage",
    ]


def test_no_parameter_can_be_null() -> None:
    parameters = [parameter for _, _, operation in OPERATIONS for parameter in operation.get("parameters", ())]
    assert parameters
    assert all("type" in parameter["schema"] for parameter in parameters if "const" not in parameter["schema"])


def test_every_reference_has_a_target() -> None:
    for reference in set(references(DESCRIPTION)):
        target: Any = DESCRIPTION
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def references(value: Any) -> list[str]:
    match value:
        case {"$ref": str(reference)}:
            return [reference]
        case dict():
            return [nested_reference for item in value.values() for nested_reference in references(item)]
        case list():
            return [nested_reference for item in value for nested_reference in references(item)]
    return []
