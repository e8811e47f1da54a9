"""The operations of the client cover the API: every path, every option, every field of a body."""

import re
from functools import partial
from typing import Any, cast

import pytest

from facenet_client.calls import Call, Download, Listing
from facenet_client.operations.service import Service
from facenet_client.sending.transport import Transport
from service.app import describe_app
from service.settings.environment import Settings

OPENAPI = describe_app(Settings()).openapi()
SCHEMAS = OPENAPI["components"]["schemas"]
OPERATIONS = {
    (method.upper(), path): operation
    for path, operations in OPENAPI["paths"].items()
    for method, operation in operations.items()
}
LEFT_OUT = {
    ("POST", "/collections/{collection}/import"): "facenet import sends the parts of a file",
    ("GET", "/metrics"): "is for Prometheus",
    ("GET", "/livez"): "is for what restarts the service",
}
PHOTOGRAPH = b"bytes of a file"
METHOD = {"method": "kmeans", "threshold": 1.0, "n_clusters": 2}


class Recorder:
    """Takes the place of a transport, and returns what it was to send."""

    def send(self, call: Call[Any]) -> Call[Any]:
        return call

    def list_items(self, listing: Listing[Any]) -> Call[Any]:
        return listing.page("cursor")

    def download(self, download: Download) -> Download:
        return download


CLIENT: Service[Any] = Service(cast("Transport", Recorder()))
STAFF = CLIENT.collection("staff")
SENT: list[Any] = [
    CLIENT.verify(PHOTOGRAPH, PHOTOGRAPH, threshold=1, max_fmr=0.1),
    CLIENT.identify(
        PHOTOGRAPH, "staff", k=1, threshold=1, max_fpir=0.1, one_person_once=True, margin=1, calibration="own"
    ),
    CLIENT.cluster(PHOTOGRAPH, **METHOD, one_person_once=False),
    CLIENT.cluster_embeddings([[1.0, 0.0]], "model", **METHOD),
    CLIENT.cluster_collection("staff", **METHOD),
    CLIENT.embed(PHOTOGRAPH),
    CLIENT.model(),
    CLIENT.ready(),
    CLIENT.backup([]),
    CLIENT.collections(),
    STAFF.create(expires_after_days=1),
    STAFF.info(),
    STAFF.delete(),
    STAFF.expire_after(None),
    STAFF.use_calibration("own"),
    STAFF.measure_calibration(),
    STAFF.calibration(),
    STAFF.delete_calibration(),
    STAFF.export([]),
    STAFF.crop("f"),
    STAFF.delete_crops(),
    STAFF.begin_reembedding(),
    STAFF.reembedding(),
    STAFF.end_reembedding(),
    STAFF.change_model("model", delete_missing=True),
    STAFF.subjects(),
    STAFF.subject("ada"),
    STAFF.add_subject("ada", name="Ada", metadata={}),
    STAFF.put_subject("ada", name="Ada", metadata={}),
    STAFF.rename("ada", "Ada"),
    STAFF.describe("ada", {}),
    STAFF.merge("countess", into="ada"),
    STAFF.delete_subject("ada"),
    STAFF.export_subject("ada"),
    STAFF.enrol("ada", PHOTOGRAPH, on_several="main", min_quality=0.5),
    STAFF.enrol_embeddings([]),
    STAFF.faces("ada"),
    STAFF.face("f"),
    STAFF.move("f", to="ada"),
    STAFF.delete_face("f"),
    CLIENT.keys.list(),
    CLIENT.keys.create(
        ["verify"], collections=["staff"], label="door", expires_in_s=1, requests_per_minute=1, images_per_day=1
    ),
    CLIENT.keys.rotate("k", overlap_s=1),
    CLIENT.keys.revoke("k"),
]


def operation_of(call: Call[Any] | Download) -> tuple[str, str]:
    """Return the method and the path of the description that a call is for."""
    return next(
        (method, path)
        for method, path in OPERATIONS
        if method == call.method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), call.path)
    )


def calls_for(operation: tuple[str, str]) -> list[Call[Any]]:
    return [call for call in SENT if isinstance(call, Call) and operation_of(call) == operation]


def names(calls: list[Call[Any]], part: str) -> set[str]:
    return {name for call in calls for name in call.parts.get(part, ())}


def test_every_operation_of_the_api_is_in_the_client_or_left_out_for_a_reason() -> None:
    assert {operation_of(call) for call in SENT} | LEFT_OUT.keys() == OPERATIONS.keys()
    assert not {operation_of(call) for call in SENT} & LEFT_OUT.keys()


@pytest.mark.parametrize("operation", sorted(OPERATIONS.keys() - LEFT_OUT.keys()), ids=str)
def test_the_options_are_those_of_the_api(operation: tuple[str, str]) -> None:
    described = {one["name"] for one in OPERATIONS[operation].get("parameters", ()) if one["in"] == "query"}
    assert names(calls_for(operation), "params") == described


@pytest.mark.parametrize(
    "operation", sorted(key for key in OPERATIONS.keys() - LEFT_OUT.keys() if "requestBody" in OPERATIONS[key]), ids=str
)
def test_the_fields_of_a_body_are_those_of_the_api(operation: tuple[str, str]) -> None:
    content = OPERATIONS[operation]["requestBody"]["content"]
    if "application/x-ndjson" in content:
        return
    (name,) = content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1:]
    calls = calls_for(operation)
    files = {field for call in calls for field, _ in call.parts.get("files", ())}
    assert names(calls, "json") | files == SCHEMAS[name]["properties"].keys()


def answer_of(operation: tuple[str, str]) -> str | None:
    """Return the name of the schema of a successful answer of JSON."""
    responses = OPERATIONS[operation]["responses"]
    content = next(
        responses[status].get("content", {}) for status in ("200", "201", "202", "204") if status in responses
    )
    reference: str = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    return reference.rpartition("/")[2] or None


@pytest.mark.parametrize("operation", sorted(OPERATIONS.keys() - LEFT_OUT.keys()), ids=str)
def test_an_answer_is_read_by_the_schema_of_the_api(operation: tuple[str, str]) -> None:
    schemas = {call.read.args[0].__name__ if isinstance(call.read, partial) else None for call in calls_for(operation)}
    assert schemas <= {answer_of(operation), None}
    if answer_of(operation) not in {None, "KeysAnswer"}:
        assert None not in schemas


@pytest.mark.parametrize("id_", ["", ".", ".."])
def test_an_id_that_would_make_another_path_is_refused(id_: str) -> None:
    """DELETE /collections/staff/subjects/.. would delete the whole collection."""
    for method, argument in ((STAFF.delete_subject, [id_]), (STAFF.face, [id_]), (CLIENT.collection(id_).delete, [])):
        with pytest.raises(ValueError, match="is not an id"):
            method(*argument)


@pytest.mark.parametrize("id_", ["a/b", "a?b", "a#b", "a%2Fb", "../keys"])
def test_an_id_stays_one_part_of_the_path(id_: str) -> None:
    call = cast("Call[Any]", STAFF.subject(id_))
    assert call.path.count("/") == 4
    assert not set("?#") & set(call.path)


def test_a_call_that_makes_a_key_is_sent_once() -> None:
    once = {operation_of(call) for call in SENT if isinstance(call, Call) and not call.is_repeatable}
    assert once == {("POST", "/keys"), ("POST", "/keys/{key_id}/rotate"), ("DELETE", "/keys/{key_id}")}


def test_the_methods_keep_their_names_and_docs() -> None:
    assert STAFF.merge.__name__ == "merge"
    assert "delete `source`" in (STAFF.merge.__doc__ or "")
