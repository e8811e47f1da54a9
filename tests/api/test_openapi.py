"""`/openapi.json` is complete. `tests/e2e/openapi/` sends its examples."""

import json
import re
from typing import Any

import httpx
import pytest

from service.api.problems import STATUS
from service.app import describe_app
from service.domain import errors
from service.settings.environment import Settings

pytestmark = pytest.mark.anyio

DESCRIPTION: dict[str, Any] = describe_app(Settings()).openapi()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in DESCRIPTION["paths"].items()
    for method, operation in operations.items()
]
PROBLEM = "application/problem+json"
NOT_A_REFUSAL = {errors.Abandoned.code, errors.SeveralFaces.code}
"""No client gets the first. The second is in the `results` of an enrolment."""


def each_operation(test: Any) -> Any:
    """Run a test for every operation, under its id."""
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    return pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=ids)(test)


def test_each_operation_has_its_own_id_in_words() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert [name for name in ids if not re.fullmatch("[a-z]+(_[a-z]+)*", name)] == []
    assert len(set(ids)) == len(ids)
    assert {"verify", "identify", "cluster", "embed", "enrol_faces", "list_subjects"} <= set(ids)


@each_operation
def test_an_operation_has_a_short_summary_and_a_description(method: str, path: str, operation: dict[str, Any]) -> None:
    assert 5 <= len(operation["summary"]) <= 72, (method, path)
    assert operation["summary"][0].isupper()
    assert len(operation["description"]) > len(operation["summary"])


def test_each_group_of_calls_is_described_and_used() -> None:
    described = [tag["name"] for tag in DESCRIPTION["tags"]]
    assert all(tag["description"] for tag in DESCRIPTION["tags"])
    assert {tag for _, _, operation in OPERATIONS for tag in operation["tags"]} == set(described)


@each_operation
def test_a_parameter_has_a_sentence_and_a_value_to_try(method: str, path: str, operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        where = (method, path, parameter["name"])
        assert re.fullmatch(r"[A-Z`].*\.", parameter["description"]), where
        assert "example" in parameter or {"default", "examples"} & set(parameter["schema"]), where
        assert parameter["required"] == ("example" in parameter), (
            "a field of /docs is filled if it must be, and only then"
        )


@each_operation
def test_a_body_has_an_example_that_fits_on_a_screen(method: str, path: str, operation: dict[str, Any]) -> None:
    """A form has no example: a browser cannot fill in a file."""
    content = operation.get("requestBody", {}).get("content", {})
    for media_type in set(content) - {"multipart/form-data"}:
        (example,) = content[media_type]["examples"].values()
        assert example["summary"], (method, path)
        assert len(json.dumps(example["value"])) < 2_500


@each_operation
def test_a_refusal_lists_its_codes_and_says_what_they_mean(method: str, path: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        codes = response.get("x-codes", [])
        assert bool(codes) == (int(status) >= 400), (method, path, status)
        assert [line.split("`")[1] for line in response["description"].splitlines() if codes] == codes
        assert codes == sorted(set(codes))


def test_each_code_of_a_refusal_is_listed_by_an_operation() -> None:
    listed = {
        code
        for _, _, operation in OPERATIONS
        for one in operation["responses"].values()
        for code in one.get("x-codes", ())
    }
    assert {error.code for error in STATUS} - listed == NOT_A_REFUSAL


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


@each_operation
def test_every_answer_is_described_with_its_headers(method: str, path: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        assert {"X-Request-ID", "Server-Timing"} <= set(response["headers"]), (method, path, status)
        assert ("Retry-After" in response["headers"]) == (status in {"429", "503"})
        if int(status) >= 400:
            assert list(response["content"]) == [PROBLEM]


def test_an_image_is_a_file_of_a_form_or_an_object_of_one_kind() -> None:
    content = DESCRIPTION["paths"]["/verify"]["post"]["requestBody"]["content"]
    assert content["multipart/form-data"]["schema"] == {"$ref": "#/components/schemas/VerifyForm"}
    form = DESCRIPTION["components"]["schemas"]["VerifyForm"]
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
