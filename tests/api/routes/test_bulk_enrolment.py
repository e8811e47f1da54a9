"""POST /collections/{collection}/faces: many embeddings in one request."""

import base64
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from service.access.keyring import KeyToCreate
from service.api.bodies import LINES_PER_BLOCK, Lines, read_face_line
from service.api.routes import faces
from service.app import open_app
from service.decisions.bulk_enrol import BulkEnrolment
from service.domain.access import Scope
from service.domain.errors import Abandoned, FacenetError, StorageUnavailable
from service.domain.waiting import WaitingClient, work_for
from service.gallery.base import EmbeddingModel
from service.gallery.gallery import Gallery
from service.observability.outcomes import request_outcome
from service.pipeline.round_robin import NoThreads
from service.settings.environment import Settings
from service.settings.groups import Models
from tests.support.asgi_client import connect_to_app
from tests.support.face_lines import NDJSON, base64_line, face_line, results_of, statuses_of, unit_vectors
from tests.support.made_up_people import enrol_people, make_people

pytestmark = pytest.mark.anyio

LATER_LINES = LINES_PER_BLOCK + 500
LINES = LINES_PER_BLOCK + LATER_LINES
"""Three blocks."""


async def send(client: httpx.AsyncClient, collection: str, *lines: bytes) -> httpx.Response:
    return await client.post(f"{collection}/faces", content=b"\n".join(lines), headers=NDJSON)


async def subjects_of(client: httpx.AsyncClient, collection: str) -> dict[str, tuple[str | None, int]]:
    items = (await client.get(f"{collection}/subjects?limit=1000")).json()["items"]
    return {item["id"]: (item["name"], item["faces"]) for item in items}


async def test_numbers_and_base64_are_enrolled_and_found(
    client: httpx.AsyncClient, collection: str, model_id: str
) -> None:
    a, b = unit_vectors(2)
    answer = await send(
        client,
        collection,
        face_line("ada", a, model_id, name="Ada Lovelace", metadata={"team": 1}),
        base64_line("grace", b, model_id),
    )
    results = results_of(answer)
    assert [(result["line"], result["status"]) for result in results] == [(1, "enrolled"), (2, "enrolled")]
    for vector, subject in ((a, "ada"), (b, "grace")):
        image = {"embedding": vector.tolist(), "model": model_id}
        query: dict[str, str | float] = {"collection": collection.rpartition("/")[2], "threshold": 0.01}
        found = (await client.post("/identify", params=query, json={"image": image})).json()
        assert found["faces"][0]["subject"] == subject
    ada = (await client.get(f"{collection}/subjects/ada")).json()
    assert (ada["name"], ada["metadata"], ada["faces"]) == ("Ada Lovelace", {"team": 1}, 1)
    assert (await client.get(f"{collection}/faces/{results[0]['face']}")).json()["subject"] == "ada"


async def test_a_subject_that_exists_keeps_its_name(client: httpx.AsyncClient, collection: str, model_id: str) -> None:
    a, b = unit_vectors(2)
    await client.put(f"{collection}/subjects/ada", json={"name": "Ada"})
    await send(client, collection, face_line("ada", a, model_id, name="Other"), face_line("new", b, model_id, name="N"))
    assert await subjects_of(client, collection) == {"ada": ("Ada", 1), "new": ("N", 1)}


async def test_the_same_lines_again_are_known_in_either_form(
    client: httpx.AsyncClient, collection: str, model_id: str
) -> None:
    vectors = unit_vectors(3)
    first = await send(client, collection, *(face_line("ada", vector, model_id) for vector in vectors))
    again = await send(client, collection, *(base64_line("ada", vector, model_id) for vector in vectors))
    assert statuses_of(again) == ["known"] * 3
    assert [result["face"] for result in results_of(again)] == [result["face"] for result in results_of(first)]
    body = {"images": [{"embedding": vectors[0].tolist(), "model": model_id}]}
    single = (await client.post(f"{collection}/subjects/ada/faces", json=body)).json()
    assert single["results"][0]["status"] == "known"


async def test_an_embedding_that_was_enrolled_alone_is_known(
    client: httpx.AsyncClient, collection: str, model_id: str
) -> None:
    (vector,) = unit_vectors(1)
    await client.put(f"{collection}/subjects/ada", json={})
    body = {"images": [{"embedding": vector.tolist(), "model": model_id}]}
    await client.post(f"{collection}/subjects/ada/faces", json=body)
    assert statuses_of(await send(client, collection, base64_line("ada", vector, model_id))) == ["known"]


async def test_duplicates_in_one_body(client: httpx.AsyncClient, collection: str, model_id: str) -> None:
    a, b = unit_vectors(2)
    lines = [face_line(subject, vector, model_id) for subject, vector in (("x", a), ("x", a), ("y", a), ("x", b))]
    answer = await send(client, collection, *lines)
    assert statuses_of(answer) == ["enrolled", "known", "known_elsewhere", "enrolled"]
    faces = [result["face"] for result in results_of(answer)]
    assert faces[0] == faces[1] == faces[2] != faces[3]
    assert await subjects_of(client, collection) == {"x": (None, 2)}  # a refused line creates no subject


async def test_the_same_subject_in_two_collections(client: httpx.AsyncClient, collection: str, model_id: str) -> None:
    line = face_line("ada", unit_vectors(1)[0], model_id)
    await client.put("/collections/second")
    faces = [results_of(await send(client, path, line))[0] for path in (collection, "/collections/second")]
    assert [face["status"] for face in faces] == ["enrolled", "enrolled"]
    assert faces[0]["face"] != faces[1]["face"]
    await client.delete("/collections/second")


def bad_lines(model: str) -> dict[str, bytes]:
    """Return lines that are refused, each with its code before a colon."""
    (vector,) = unit_vectors(1)
    text = base64.b64encode(vector.tobytes()).decode()
    return {
        "invalid_line: no JSON": b"{",
        "invalid_line: not UTF-8": b'{"subject": "\xff"}',
        "invalid_line: lone surrogate": b'{"subject": "a", "name": "\\ud800"}',
        "invalid_line: no object": b"[1]",
        "invalid_line: deep": b"[" * 100_000,
        "invalid_line: deep metadata": face_line("a", vector, model)[:-1] + b', "metadata": ' + b'{"a":' * 1000,
        "invalid_line: huge": b'"' + b"x" * 2**17,
        "invalid_line: subject": face_line("../a", vector, model),
        "invalid_line: name": face_line("a", vector, model, name="a\nb"),
        "invalid_line: metadata": face_line("a", vector, model, metadata={"a": "x" * 5000}),
        "invalid_line: field": face_line("a", vector, model, image_sha256="0" * 64),
        "invalid_line: both": face_line("a", vector, model, embedding_base64=text),
        "invalid_line: none": json.dumps({"subject": "a", "model": model}).encode(),
        "invalid_line: NaN": face_line("a", np.full(128, np.nan, np.float32), model),
        "invalid_line: Infinity": face_line("a", np.full(128, np.inf, np.float32), model),
        "invalid_line: null": face_line("a", vector, model, embedding=None),
        "invalid_line: alphabet": json.dumps({"subject": "a", "model": model, "embedding_base64": "ä$"}).encode(),
        "invalid_line: part": json.dumps({"subject": "a", "model": model, "embedding_base64": "AAAAAAA="}).encode(),
        "invalid_embedding: dimension": face_line("a", vector[:64], model),
        "invalid_embedding: length": face_line("a", 2 * vector, model),
        "invalid_embedding: zero": face_line("a", 0 * vector, model),
        "invalid_embedding: NaN": base64_line("a", np.full(128, np.nan, np.float32), model),
        "invalid_embedding: too large": base64_line("a", np.full(128, 3e38, np.float32), model),
        "model_mismatch: other model": face_line("a", vector, "b" * 64),
    }


async def test_a_bad_line_is_refused_alone(client: httpx.AsyncClient, collection: str, model_id: str) -> None:
    bad = bad_lines(model_id)
    lines = [line for one in bad.values() for line in (one, b"")]
    good = [face_line(f"good{number}", vector, model_id) for number, vector in enumerate(unit_vectors(2, seed=1))]
    results = results_of(await send(client, collection, good[0], *lines, good[1]))
    assert [results[0]["status"], results[-1]["status"]] == ["enrolled", "enrolled"]
    assert [result["line"] for result in results] == [1, *range(2, len(lines) + 2, 2), len(lines) + 2]
    for name, result in zip(bad, results[1:-1], strict=True):
        assert (name, result["status"], result["code"]) == (name, "refused", name.partition(":")[0])
        assert result["detail"].endswith(".")
        assert len(result["detail"]) < 300
    assert set(await subjects_of(client, collection)) == {"good0", "good1"}


async def test_a_body_without_a_line_has_no_result(client: httpx.AsyncClient, collection: str) -> None:
    for body in (b"", b"\n\n", b" \r\n"):
        assert results_of(await client.post(f"{collection}/faces", content=body, headers=NDJSON)) == []


async def test_too_many_lines_are_refused_before_they_are_read(client: httpx.AsyncClient, collection: str) -> None:
    answer = await client.post(f"{collection}/faces", content=b"\n" * 10**6, headers=NDJSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_body_without_a_line_break_is_one_line(client: httpx.AsyncClient, collection: str) -> None:
    assert statuses_of(await send(client, collection, b"x" * 2**22)) == ["invalid_line"]


async def test_another_content_type_and_a_compressed_body_are_refused(
    client: httpx.AsyncClient, collection: str, model_id: str
) -> None:
    line = face_line("ada", unit_vectors(1)[0], model_id)
    for content, headers in ((line, {"Content-Type": "application/json"}), (gzip.compress(line), NDJSON)):
        answer = await client.post(f"{collection}/faces", content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_a_collection_that_does_not_exist_or_has_another_model(
    app: FastAPI, client: httpx.AsyncClient, collection: str, model_id: str
) -> None:
    line = face_line("ada", unit_vectors(1)[0], model_id)
    assert (await send(client, "/collections/missing", line)).json()["code"] == "collection_not_found"
    people = make_people(1, dimension=64)
    await enrol_people(app.state.services.gallery, collection.rpartition("/")[2], people, EmbeddingModel("b" * 64, 64))
    answer = await send(client, collection, line)
    assert (answer.status_code, answer.json()["code"]) == (409, "model_mismatch")


async def test_several_blocks_have_their_results_in_order(
    client: httpx.AsyncClient, collection: str, model_id: str
) -> None:
    vectors = unit_vectors(LINES)
    answer = await send(client, collection, *(base64_line(f"s{i % 7}", one, model_id) for i, one in enumerate(vectors)))
    results = results_of(answer)
    assert [result["line"] for result in results] == list(range(1, LINES + 1))
    assert {result["status"] for result in results} == {"enrolled"}
    assert sum(faces for _, faces in (await subjects_of(client, collection)).values()) == LINES
    assert (await client.get("/readyz")).status_code == 200  # the index agrees with the records
    face = (await client.get(f"{collection}/faces/{results[LINES - 100]['face']}")).json()
    assert face["subject"] == f"s{(LINES - 100) % 7}"


@pytest.mark.parametrize("stored_blocks", [0, 1])
async def test_a_disk_that_fails_between_two_blocks(
    client: httpx.AsyncClient, collection: str, model_id: str, monkeypatch: pytest.MonkeyPatch, stored_blocks: int
) -> None:
    calls = []
    enrol_block = Gallery.enrol_block

    async def fail_later(gallery: Gallery, *args: Any) -> Any:
        calls.append(1)
        if len(calls) > stored_blocks:
            raise StorageUnavailable
        return await enrol_block(gallery, *args)

    monkeypatch.setattr(Gallery, "enrol_block", fail_later)
    lines = [base64_line("ada", vector, model_id) for vector in unit_vectors(LINES)]
    answer = await send(client, collection, *lines)
    if stored_blocks:
        assert statuses_of(answer) == ["enrolled"] * LINES_PER_BLOCK + ["storage_unavailable"] * (
            LINES - LINES_PER_BLOCK
        )
        assert len(calls) == 2  # after the failure, nothing more is tried
    else:
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert (
        sum(faces for _, faces in (await subjects_of(client, collection)).values()) == LINES_PER_BLOCK * stored_blocks
    )


async def enrol_until_first_block(
    app: FastAPI, lines: Lines, client: WaitingClient, then: Callable[[], Any]
) -> list[str]:
    """Enrol lines for a client, and call `then` after the first block. Return the status or the code of each line."""
    services, found = app.state.services, []
    enrolment = BulkEnrolment(services.probes, services.lines, "default", read_face_line)
    with work_for(client):
        async with aclosing(enrolment.run(lines.blocks())) as enrolled:
            async for _, outcomes in enrolled:
                found += [outcome.code if isinstance(outcome, FacenetError) else outcome.status for outcome in outcomes]
                then()
    return found


async def test_when_the_time_has_passed_the_lines_that_are_stored_are_answered(app: FastAPI, model_id: str) -> None:
    lines = [base64_line("late", vector, model_id) for vector in unit_vectors(LINES, seed=7)]
    client = WaitingClient()
    found = await enrol_until_first_block(app, Lines(bytearray(b"\n".join(lines)), len(lines)), client, client.refuse)
    assert found == ["enrolled"] * LINES_PER_BLOCK + ["timed_out"] * LATER_LINES
    assert (await app.state.services.gallery.get_subject("default", "late")).faces == LINES_PER_BLOCK
    await app.state.services.gallery.delete_subject("default", "late")


async def test_when_the_client_leaves_no_further_block_is_stored_and_the_stored_lines_are_counted(
    app: FastAPI, model_id: str
) -> None:
    lines = [base64_line("left", vector, model_id) for vector in unit_vectors(LINES, seed=8)]
    client = WaitingClient()
    with request_outcome() as outcome, pytest.raises(Abandoned):
        await enrol_until_first_block(app, Lines(bytearray(b"\n".join(lines)), len(lines)), client, client.leave)
    assert outcome.counts == {"enrolled": LINES_PER_BLOCK}
    assert outcome.stored
    assert (await app.state.services.gallery.get_subject("default", "left")).faces == LINES_PER_BLOCK
    await app.state.services.gallery.delete_subject("default", "left")


@pytest.fixture(scope="module")
async def closed_client(
    models_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI]]:
    folder = tmp_path_factory.mktemp("closed")
    (folder / "operator").write_text("the-key-of-the-operator-of-these-tests")
    settings = Settings(data_dir=folder / "data", models=Models(dir=models_dir), admin_key_file=folder / "operator")
    async with open_app(settings) as app, connect_to_app(app) as client:
        yield client, app


async def test_each_line_counts_as_an_image_of_the_key_and_the_request_has_one_line_in_the_audit_log(
    closed_client: tuple[httpx.AsyncClient, FastAPI], model_id: str
) -> None:
    client, app = closed_client
    services = app.state.services
    _, key = await services.keyring.create(KeyToCreate([Scope.ENROL], images_per_day=5))
    headers = NDJSON | {"Authorization": f"Bearer {key}"}
    lines = [face_line("secret-id", vector, model_id) for vector in unit_vectors(3)]
    before = services.audit.head.sequence
    first = await client.post("/collections/default/faces", content=b"\n".join([*lines, b"{"]), headers=headers)
    assert statuses_of(first) == ["enrolled"] * 3 + ["invalid_line"]
    second = await client.post("/collections/default/faces", content=b"\n".join(lines), headers=headers)
    assert (second.status_code, second.json()["code"]) == (429, "quota_used")
    folder = services.gallery.database._path.parent / "audit"  # noqa: SLF001  # the files of the log
    written = [json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()]
    changes = [line for line in written if line["event"] == "change" and line.get("seq", 0) >= before]
    changes = [line for line in changes if line["route"] == "/collections/{collection}/faces"]
    assert [line["counts"] for line in changes] == [{"enrolled": 3, "refused": 1}]
    assert "secret-id" not in json.dumps(written)


async def test_only_few_and_short_lines_are_read_on_the_event_loop(
    client: httpx.AsyncClient, collection: str, model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long lines would hold it: 16 lines of the greatest length take 0.2 s."""
    used: list[int] = []

    class CountedNoThreads(NoThreads):
        def __init__(self) -> None:
            used.append(1)

    monkeypatch.setattr(faces, "NoThreads", CountedNoThreads)
    few = [face_line(f"s{i}", one, model_id) for i, one in enumerate(unit_vectors(3, seed=5))]
    long = face_line("long", unit_vectors(1, seed=6)[0], model_id, metadata={"text": "x" * 4000}).ljust(20_000)
    many = [face_line(f"m{i}", one, model_id) for i, one in enumerate(unit_vectors(17, seed=7))]
    for lines, expected in ((few, 1), ([long], 0), (many, 0)):
        used.clear()
        assert set(statuses_of(await send(client, collection, *lines))) == {"enrolled"}
        assert len(used) == expected
