"""GET /collections/{collection}/export and POST /collections/{collection}/import."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support.collection_files import content_of, lines_of, parts_of, subject_line, with_checksums
from tests.support.face_lines import NDJSON, base64_line, unit_vectors

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
FACES = 2_500
"""Three parts."""


@pytest.fixture
async def exported(client: httpx.AsyncClient, collection: str, model_id: str) -> bytes:
    """Return the lines of a collection with faces, a subject without faces, and an expiry. It is deleted."""
    await client.patch(collection, json={"expires_after_days": 400})
    await client.put(
        f"{collection}/subjects/nobody",
        json={"name": "Nô\N{GREEK SMALL LETTER OMEGA}", "metadata": {"a": [1, 0.1, None]}},
    )
    vectors = unit_vectors(FACES)
    lines = [base64_line(f"s{i // 3}", one, model_id, name=f"Person {i}") for i, one in enumerate(vectors)]
    await client.post(f"{collection}/faces", content=b"\n".join(lines), headers=NDJSON)
    answer = await client.get(f"{collection}/export")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    await client.delete(collection)
    return answer.content


async def send(client: httpx.AsyncClient, collection: str, part: bytes) -> httpx.Response:
    return await client.post(f"{collection}/import", content=part, headers=NDJSON)


async def send_all(client: httpx.AsyncClient, collection: str, parts: list[bytes]) -> list[httpx.Response]:
    return [await send(client, collection, part) for part in parts]


def code_of(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.json().get('code', '')}".strip()


async def test_a_collection_is_the_same_after_an_import(
    client: httpx.AsyncClient, collection: str, exported: bytes, model_id: str
) -> None:
    parts = parts_of(exported)
    answers = await send_all(client, collection, parts)
    assert len(parts) > 2
    assert [answer.json()["finished"] for answer in answers] == [False] * (len(parts) - 1) + [True]
    assert answers[-1].json()["faces"] == FACES
    again = (await client.get(f"{collection}/export")).content
    assert content_of(again) == content_of(exported)
    found = (await client.get(collection)).json()
    assert (found["faces"], found["model"], found["expires_after_days"]) == (FACES, model_id, 400)
    assert found["created_at"] == json.loads(parts[0].partition(b"\n")[0])["created_at"].replace("+00:00", "Z")
    vector = unit_vectors(FACES)[-1].tolist()
    query: dict[str, str | float] = {"collection": collection.rpartition("/")[2], "threshold": 0.01}
    body = {"image": {"embedding": vector, "model": model_id}}
    identified = (await client.post("/identify", params=query, json=body)).json()
    assert identified["faces"][0]["subject"] == f"s{(FACES - 1) // 3}"


async def test_until_its_last_part_is_stored_a_collection_is_not_used(
    client: httpx.AsyncClient, collection: str, exported: bytes, model_id: str
) -> None:
    parts = parts_of(exported)
    await send_all(client, collection, parts[:-1])
    listed = {item["id"]: item for item in (await client.get("/collections?limit=1000")).json()["items"]}
    assert listed[collection.rpartition("/")[2]]["import_unfinished"]
    assert (await client.put(collection)).json()["import_unfinished"]
    body = {"image": {"embedding": unit_vectors(1)[0].tolist(), "model": model_id}}
    query = {"collection": collection.rpartition("/")[2]}
    calls: list[Awaitable[httpx.Response]] = [
        client.post("/identify", params=query, json=body),
        client.get(f"{collection}/export"),
        client.get(f"{collection}/subjects"),
        client.put(f"{collection}/subjects/new", json={}),
        client.post(f"{collection}/faces", content=base64_line("x", unit_vectors(1)[0], model_id), headers=NDJSON),
        client.post(f"{collection}/calibration"),
        client.patch(collection, json={"expires_after_days": 1}),
    ]
    assert [code_of(await call) for call in calls] == ["409 import_unfinished"] * len(calls)
    assert (await client.get("/readyz")).status_code == 200
    assert (await client.delete(collection)).status_code == 204
    assert (await client.get(collection)).status_code == 404


async def test_an_import_continues_after_the_part_that_was_stored_last(
    client: httpx.AsyncClient, collection: str, exported: bytes
) -> None:
    parts = parts_of(exported)
    first, second = await send_all(client, collection, parts[:2])
    assert (await send(client, collection, parts[0])).json() == second.json() != first.json()
    assert (await send(client, collection, parts[1])).json() == second.json()
    for part in parts[2:]:
        assert (await send(client, collection, part)).status_code == 200
    assert content_of((await client.get(f"{collection}/export")).content) == content_of(exported)


async def test_parts_that_do_not_follow_are_refused(
    client: httpx.AsyncClient, collection: str, exported: bytes
) -> None:
    parts = parts_of(exported)
    assert code_of(await send(client, collection, parts[1])) == "409 import_out_of_order"  # nothing was begun
    await send(client, collection, parts[0])
    changed = parts[1].replace(b'"embedding_base64":"', b'"embedding_base64":"A', 1)
    assert code_of(await send(client, collection, parts[2])) == "409 import_out_of_order"
    flipped = parts[1].replace(b"s0", b"s1", 1)
    assert code_of(await send(client, collection, flipped)) == "409 import_out_of_order"
    assert code_of(await send(client, collection, changed)) == "422 invalid_import"
    other = with_checksums(
        [[{**json.loads(parts[0].partition(b"\n")[0]), "subjects": 7}], [{"type": "end", "subjects": 0, "faces": 0}]]
    )
    assert code_of(await send(client, collection, other[0])) == "409 import_unfinished"
    for part in parts[1:]:
        assert (await send(client, collection, part)).status_code == 200
    assert code_of(await send(client, collection, parts[0])) == "409 collection_not_empty"
    assert content_of((await client.get(f"{collection}/export")).content) == content_of(exported)


async def test_faces_that_the_gallery_has_in_another_collection_are_refused(
    client: httpx.AsyncClient, collection: str, exported: bytes
) -> None:
    parts = parts_of(exported)
    await send_all(client, collection, parts)
    assert "409 faces_exist" in [code_of(answer) for answer in await send_all(client, "/collections/copy", parts)]
    await client.delete("/collections/copy")


def change_line(kind: str, **fields: Any) -> Callable[[list[list[Json]]], None]:
    """Return what changes the last line of a type."""

    def change(parts: list[list[Json]]) -> None:
        [line for part in parts for line in part if line["type"] == kind][-1].update(fields)

    return change


def repeat_line(kind: str, **fields: Any) -> Callable[[list[list[Json]]], None]:
    """Return what repeats the first line of a type at the end, with other values."""

    def change(parts: list[list[Json]]) -> None:
        line = next(line for part in parts for line in part if line["type"] == kind)
        parts[-1].insert(-1, {**line, **fields})

    return change


def remove_line(kind: str) -> Callable[[list[list[Json]]], None]:
    """Return what removes the last line of a type."""

    def change(parts: list[list[Json]]) -> None:
        found = [(part, line) for part in parts for line in part if line["type"] == kind]
        found[-1][0].remove(found[-1][1])

    return change


LONG = np.zeros(128, "<f4")
BAD: dict[str, Callable[[list[list[Json]]], None]] = {
    "version": change_line("collection", version=2),
    "format": change_line("collection", format="other"),
    "model without dimension": change_line("collection", dimension=None),
    "other dimension": change_line("collection", dimension=64),
    "no model": change_line("collection", dimension=None, model=None),
    "own calibration is missing": change_line("collection", calibration="own"),
    "unknown field": change_line("subject", age=3),
    "field is missing": lambda parts: parts[0][1].pop("metadata"),
    "subject id": change_line("subject", id="../a"),
    "subject name": change_line("subject", name="a\nb"),
    "subject metadata": change_line("subject", metadata={"a": "x" * 5_000}),
    "time without zone": change_line("face", created_at="2026-01-01T00:00:00"),
    "hash": change_line("face", image_sha256="x" * 64),
    "not base64": change_line("face", embedding_base64="ä"),
    "part of a number": change_line("face", embedding_base64="AAAAAAA="),
    "not of unit length": change_line("face", embedding_base64="AAAA" * 170 + "AAA="),
    "unknown subject": change_line("face", subject="unknown"),
    "subject twice": repeat_line("subject"),
    "face twice": repeat_line("face", image_sha256="0" * 64),
    "photograph twice": repeat_line("face", id="0" * 32),
    "face is missing": remove_line("face"),
    "subject is missing": remove_line("subject"),
    "wrong count": change_line("end", faces=FACES + 1),
    "collection twice": repeat_line("collection"),
    "one more subject": lambda parts: parts[1].append(subject_line("more")),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_file_with_right_checksums_and_a_bad_line_is_never_used(
    client: httpx.AsyncClient, collection: str, exported: bytes, name: str
) -> None:
    lines = lines_of(parts_of(exported))
    BAD[name](lines)
    answers = await send_all(client, collection, with_checksums(lines))
    codes = [code_of(answer) for answer in answers]
    assert "422 invalid_import" in codes
    assert not any(answer.json().get("finished") for answer in answers)
    assert (await client.get(f"{collection}/subjects")).status_code in {404, 409}


BAD_BODIES = {
    "empty": b"",
    "no line break": b'{"type":"end","subjects":0,"faces":0,"sha256":"' + b"0" * 64 + b'"}',
    "no JSON": b"{\n",
    "no checksum": b'{"type":"subject","id":"a","name":null,"metadata":{},"created_at":"2026-01-01T00:00:00Z"}\n',
    "unknown type": b'{"type":"person"}\n',
    "no type": b"{}\n",
    "deep": b"[" * 100_000 + b"\n",
    "too long": b'"' + b"x" * 2**17 + b'"\n',
    "too many lines": b"{}\n" * 5_002,
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_other_bodies_are_refused(client: httpx.AsyncClient, name: str) -> None:
    answer = await send(client, "/collections/unborn", BAD_BODIES[name])
    assert code_of(answer) == "422 invalid_import"
    assert (await client.get("/collections/unborn")).status_code == 404


async def test_an_unknown_collection_is_not_exported(client: httpx.AsyncClient) -> None:
    assert code_of(await client.get("/collections/unborn/export")) == "404 collection_not_found"


async def test_the_example_becomes_a_collection(client: httpx.AsyncClient, collection: str) -> None:
    description = (await client.get("/openapi.json")).json()["paths"]["/collections/{collection}/import"]["post"]
    example = description["requestBody"]["content"]["application/x-ndjson"]["examples"]["example"]["value"]
    await client.delete(collection)
    assert (await send(client, collection, example.encode())).json()["finished"]
    assert (await client.get(f"{collection}/subjects/ada")).json()["name"] == "Ada Lovelace"
