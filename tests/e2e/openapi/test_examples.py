"""Every example of `/openapi.json` succeeds, sent to a running service in the order of a person who tries it."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

pytestmark = pytest.mark.slow

ORDER = (
    *("check_liveness", "check_readiness", "get_model", "get_metrics"),
    *("import_collection", "create_collection", "list_collections", "get_collection", "change_collection"),
    *("create_subject", "put_subject", "change_subject", "list_subjects", "get_subject"),
    *("enrol_faces", "enrol_embeddings", "list_faces", "get_face", "move_face"),
    *("verify", "identify", "embed", "cluster"),
    *("measure_calibration", "get_calibration", "delete_calibration"),
    *("export_subject", "export_collection", "create_backup"),
    *("get_crop", "delete_crops", "begin_reembedding", "get_reembedding", "change_model", "end_reembedding"),
    *("merge_subjects", "delete_face", "delete_subject", "delete_collection"),
    *("create_key", "list_keys", "rotate_key", "revoke_key"),
)
"""What is created is there before it is read, and is deleted at the end."""

OFF_BY_DEFAULT = {
    "get_crop": "crop_not_found",
    "begin_reembedding": "invalid_option",
    "get_reembedding": "reembedding_not_found",
    "end_reembedding": "reembedding_not_found",
}
"""Without FACE_GALLERY__KEEP_CROPS or FACE_MODELS__NEXT_EMBEDDER, these are refused with this code, which says so."""

ENROLLED = {"collection": "people", "subject": "ada", "face": "face-1"}
PEOPLE = 60
"""Enough for a calibration."""


def test_every_example_succeeds(operator: httpx.Client) -> None:
    description = operator.get("/openapi.json").json()
    operations = {
        operation["operationId"]: (method, path, operation)
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
    }
    assert sorted(operations) == sorted(ORDER)
    answers: dict[str, Any] = {}
    for name in ORDER:
        if name == "measure_calibration":
            enrol_made_up_people(operator)
        method, path, operation = operations[name]
        for request in requests_of(method, path, operation, description, answers):
            answer = operator.send(operator.build_request(**request))
            if name in OFF_BY_DEFAULT:
                assert answer.json()["code"] == OFF_BY_DEFAULT[name]
            else:
                assert answer.is_success, (name, request, answer.text)
        answers[name] = answer


def requests_of(
    method: str, path: str, operation: dict[str, Any], description: dict[str, Any], answers: dict[str, httpx.Response]
) -> Iterator[dict[str, Any]]:
    """Yield what /docs sends at first, then each other body, then each option with its example."""
    parameters = operation.get("parameters", ())
    ids = {one["name"]: one["example"] for one in parameters if one["in"] == "path"}
    assert {name: value for name, value in ids.items() if name != "key_id"} == {
        name: value for name, value in ENROLLED.items() if name in ids
    }
    url = path.format(**ids | linked_values(operation["operationId"], description, answers))
    first, *other_bodies = bodies_of(operation, description) or [{}]
    needed = {
        one["name"]: one["schema"]["examples"][0] for one in parameters if one["in"] == "query" and one.get("required")
    }
    for body in (first, *other_bodies):
        yield {"method": method, "url": url, "params": needed, **body}
    for parameter in parameters:
        for value in parameter["schema"].get("examples", ()) if parameter["in"] == "query" else ():
            is_instead_of_body = (operation["operationId"], parameter["name"]) == ("cluster", "collection")
            body = {} if is_instead_of_body else first
            yield {"method": method, "url": url, "params": needed | {parameter["name"]: value}, **body}


def bodies_of(operation: dict[str, Any], description: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each body in the arguments of httpx. A form has no example, so it gets the photographs of the JSON."""
    content = operation.get("requestBody", {}).get("content", {})
    bodies: list[dict[str, Any]] = []
    for media_type in content:
        (example,) = content["application/json" if media_type.startswith("multipart") else media_type][
            "examples"
        ].values()
        value = example["value"]
        if media_type.startswith("multipart"):
            schema = description["components"]["schemas"][content[media_type]["schema"]["$ref"].rpartition("/")[2]]
            bodies.append({"files": [(name, file) for name in schema["properties"] for file in files_of(value[name])]})
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            bodies.append({"content": text, "headers": {"content-type": media_type}})
    return bodies


def files_of(images: Any) -> list[bytes]:
    return [base64.b64decode(image["base64"]) for image in (images if isinstance(images, list) else [images])]


def linked_values(name: str, description: dict[str, Any], answers: dict[str, httpx.Response]) -> dict[str, str]:
    """Return the parameters whose values are in an answer before, as the links of the description say."""
    values = {}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            for response in operation["responses"].values():
                for parameter, place in response.get("links", {}).get(name, {}).get("parameters", {}).items():
                    assert (method, path, place) == ("post", "/keys", "$response.body#/id")
                    values[parameter] = answers[operation["operationId"]].json()["id"]
    return values


def enrol_made_up_people(operator: httpx.Client) -> None:
    vectors = np.random.default_rng(0).normal(size=(PEOPLE, 128))
    model = operator.get("/model").json()["id"]
    lines = "".join(
        json.dumps({"subject": f"s{row}", "model": model, "embedding": (vector / np.linalg.norm(vector)).tolist()})
        + "\n"
        for row, vector in enumerate(vectors)
    )
    url = f"/collections/{ENROLLED['collection']}/faces"
    operator.post(url, content=lines, headers={"content-type": "application/x-ndjson"}).raise_for_status()
