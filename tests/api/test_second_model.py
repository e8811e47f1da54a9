"""A collection is embedded again by a second real model while its own serves, gets it in one step, and goes back.

`sface` and `compact` have the same dimension, and their embeddings cannot be compared.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from service.access.audit.files import FOLDER
from service.app import open_app
from service.decisions import two_models
from service.decisions.probes import ProbeReader
from service.domain.command_errors import InvalidSettings
from service.gallery.records.schema import CROPS
from service.settings.environment import Settings
from service.settings.groups import GallerySettings, Models
from tests.support.asgi_client import connect_to_app
from tests.support.sample_images import base64_image

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
FRIENDS = "/collections/friends"


@dataclass
class Running:
    """An open service. ids: of the models, by their names."""

    app: FastAPI
    client: httpx.AsyncClient
    ids: dict[str, str]

    async def enrol(self, subject: str, photograph: bytes) -> str:
        await self.client.put(f"{FRIENDS}/subjects/{subject}", json={})
        answer = await self.client.post(f"{FRIENDS}/subjects/{subject}/faces", files={"images": photograph})
        return str(answer.json()["results"][0]["face"])

    async def identify(self, photograph: bytes) -> tuple[str, str | None, float]:
        """Return the model of the answer, the nearest subject, and its distance."""
        answer = await self.client.post("/identify?collection=friends", files={"image": photograph})
        found = answer.json()
        nearest = found["faces"][0]["candidates"][0]
        return found["model"]["name"], nearest["subject"], nearest["distance"]

    async def embed_all(self) -> dict[str, Any]:
        """Do the work of the background until nothing waits, and return how far it is."""
        for probes in self.app.state.services.models.all:
            await two_models.embed_waiting(probes)
        return dict((await self.client.get(f"{FRIENDS}/reembedding")).json())

    async def change_model(self, name: str, **options: bool) -> httpx.Response:
        return await self.client.put(f"{FRIENDS}/model", params={"model": self.ids[name], **options})


async def wait_until_complete(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while not (await client.get(f"{FRIENDS}/reembedding")).json()["complete"]:  # noqa: ASYNC110  # another task works
            await asyncio.sleep(0.05)


def audit_lines(data_dir: Path) -> list[dict[str, Any]]:
    """Return all lines of the audit log."""
    texts = [file.read_text() for file in sorted((data_dir / FOLDER).iterdir()) if file.suffix == ".jsonl"]
    return [json.loads(line) for text in texts for line in text.splitlines()]


@asynccontextmanager
async def open_service(
    data_dir: Path, models_dir: Path, embedder: str, second: str | None, *, keep_crops: bool = True, **gallery: Any
) -> AsyncIterator[Running]:
    settings = Settings(
        data_dir=data_dir,
        models=Models(dir=models_dir, embedder=embedder, next_embedder=second),
        gallery=GallerySettings(keep_crops="yes" if keep_crops else "no", **gallery),
    )
    async with open_app(settings) as app, connect_to_app(app) as client:
        await client.put(FRIENDS)
        ids = {probes.card.name: probes.card.id for probes in app.state.services.models.all}
        yield Running(app, client, ids)


@pytest.fixture
async def service(tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    monkeypatch.setattr(two_models, "PAUSE_S", 3600.0)  # the tests say when the work is done
    async with open_service(tmp_path / "data", models_dir, "sface", "compact") as running:
        await asyncio.sleep(0)
        yield running


async def test_a_collection_gets_the_second_model_and_the_first_one_back(
    service: Running, obama: bytes, obama2: bytes, biden: bytes
) -> None:
    await service.enrol("obama", obama)
    await service.enrol("biden", biden)
    before = await service.identify(obama2)
    begun = await service.client.post(f"{FRIENDS}/reembedding")
    assert begun.status_code == 202
    assert (begun.json()["model"], begun.json()["waiting"]) == (service.ids["compact"], 2)
    assert await service.identify(obama2) == before
    refused = await service.change_model("compact")
    assert (refused.status_code, refused.json()["code"]) == (409, "reembedding_incomplete")
    exported = (await service.client.get(f"{FRIENDS}/subjects/obama/export")).json()
    assert (exported["other_model"], exported["faces"][0]["other_embedding"]) == (service.ids["compact"], None)
    assert (await service.embed_all())["complete"] is True
    assert await service.identify(obama2) == before
    exported = (await service.client.get(f"{FRIENDS}/subjects/obama/export")).json()

    changed = await service.change_model("compact")
    assert changed.json()["model"] == service.ids["compact"]
    assert (await service.change_model("compact")).status_code == 200  # the same call again changes nothing
    model, subject, distance = await service.identify(obama2)
    assert (model, subject) == ("compact", "obama")
    assert distance != pytest.approx(before[2], abs=0.001)
    (former,), (face,) = (
        exported["faces"],
        (await service.client.get(f"{FRIENDS}/subjects/obama/export")).json()["faces"],
    )
    assert (face["embedding"], face["other_embedding"]) == (former["other_embedding"], former["embedding"])
    assert (await service.client.get("/readyz")).status_code == 200

    assert (await service.change_model("sface")).json()["model"] == service.ids["sface"]
    assert await service.identify(obama2) == before
    assert (await service.client.get("/readyz")).status_code == 200


async def test_what_is_kept_gives_the_distances_of_the_photographs(service: Running, obama: bytes) -> None:
    face = await service.enrol("obama", obama)
    await service.client.post(f"{FRIENDS}/reembedding")
    await service.embed_all()
    await service.change_model("compact")
    kept = {"face": face, "collection": "friends"}
    answer = await service.client.post("/verify", json={"image_a": kept, "image_b": base64_image(obama)})
    assert answer.json()["model"]["name"] == "compact"
    assert answer.json()["distance"] < 0.02


async def test_every_call_about_the_collection_uses_its_model(
    service: Running, obama: bytes, obama2: bytes, biden: bytes
) -> None:
    face = await service.enrol("obama", obama)
    await service.client.post(f"{FRIENDS}/reembedding")
    await service.embed_all()
    await service.change_model("compact")
    await service.enrol("biden", biden)
    stored = {"subject": "biden", "collection": "friends"}
    verified = await service.client.post("/verify", json={"image_a": base64_image(biden), "image_b": stored})
    assert (verified.json()["verified"], verified.json()["model"]["name"]) == (True, "compact")
    clustered = await service.client.post("/cluster?collection=friends")
    assert (len(clustered.json()["faces"]), clustered.json()["model"]["name"]) == (2, "compact")
    photographs = await service.client.post("/verify", files={"image_a": obama, "image_b": obama2})
    assert photographs.json()["model"]["name"] == "sface"
    other = await service.client.post("/identify?collection=default", files={"image": obama})
    assert other.json()["model"]["name"] == "sface"
    mixed = {"image_a": {"face": face, "collection": "friends"}, "image_b": {"subject": "x", "collection": "default"}}
    assert (await service.client.post("/verify", json=mixed)).json()["code"] == "subject_not_found"


async def test_a_clustering_that_began_with_the_former_model_is_done_with_the_new_one(
    service: Running, obama: bytes, obama2: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for photograph in (obama, obama2):
        await service.enrol("obama", photograph)
    await service.client.post(f"{FRIENDS}/reembedding")
    await service.embed_all()
    await service.change_model("compact")
    answers, of_collection = [service.app.state.services.models.first], two_models.LoadedModels.of_collection

    async def late(models: two_models.LoadedModels, collection: str) -> ProbeReader:
        """Return at first what was right before the change."""
        return answers.pop() if answers else await of_collection(models, collection)

    monkeypatch.setattr(two_models.LoadedModels, "of_collection", late)
    answer = await service.client.post("/cluster?collection=friends")
    assert (answer.status_code, answer.json()["model"]["name"]) == (200, "compact")
    assert not answers


async def test_faces_that_are_enrolled_meanwhile_are_in_both_sets(
    service: Running, obama: bytes, obama2: bytes, biden: bytes
) -> None:
    await service.enrol("obama", obama)
    await service.client.post(f"{FRIENDS}/reembedding")
    await service.embed_all()
    await service.enrol("biden", biden)
    assert (await service.client.get(f"{FRIENDS}/reembedding")).json()["waiting"] == 1
    assert (await service.change_model("compact")).json()["code"] == "reembedding_incomplete"
    await service.embed_all()
    await service.change_model("compact")
    assert (await service.identify(biden))[:2] == ("compact", "biden")
    await service.enrol("obama", obama2)
    assert (await service.change_model("sface")).json()["code"] == "reembedding_incomplete"
    await service.embed_all()
    assert (await service.change_model("sface")).status_code == 200
    assert (await service.identify(obama2))[1] == "obama"
    assert (await service.client.get(FRIENDS)).json()["faces"] == 3


async def test_faces_without_a_crop_are_counted_and_are_deleted_only_if_that_is_asked_for(
    tmp_path: Path, models_dir: Path, obama: bytes, obama2: bytes, biden: bytes
) -> None:
    async with open_service(tmp_path / "data", models_dir, "sface", None, keep_crops=False) as service:
        await service.enrol("obama", obama)
        await service.enrol("biden", biden)
        refused = await service.client.post(f"{FRIENDS}/reembedding")
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_option")
        assert "FACE_MODELS__NEXT_EMBEDDER" in refused.json()["detail"]
    async with open_service(tmp_path / "data", models_dir, "sface", "compact") as service:
        await service.enrol("obama", obama)  # it is known, and gets its crop now
        begun = (await service.client.post(f"{FRIENDS}/reembedding")).json()
        assert begun["without_crop"] == 1
        found = await service.embed_all()
        assert (found["done"], found["without_crop"], found["complete"]) == (1, 1, False)
        refused = await service.change_model("compact")
        assert refused.status_code == 409
        assert "1 cannot be" in refused.json()["detail"]
        assert (await service.change_model("compact", delete_missing=True)).json()["faces"] == 1
        assert (await service.identify(obama2))[:2] == ("compact", "obama")
        assert (await service.client.get(f"{FRIENDS}/subjects/biden")).json()["faces"] == 0
    lines = audit_lines(tmp_path / "data")
    (change,) = [line for line in lines if line.get("route", "").endswith("/model")]
    assert (change["event"], change["collection"], change["counts"]) == ("change", "friends", {"deleted": 1})
    (deleted,) = [line for line in lines if line["event"] == "not_embedded"]
    assert (deleted["collection"], deleted["counts"]) == ("friends", {"faces": 1, "subjects": 0})
    (enrolment,) = [line for line in lines if line.get("route", "").endswith("{subject}/faces")][1:2]
    assert deleted["subjects"] == enrolment["subjects"]  # the second face is of biden


async def test_a_damaged_crop_keeps_no_other_face_waiting_and_is_replaced_by_another_enrolment(
    service: Running, obama: bytes, biden: bytes
) -> None:
    damaged = await service.enrol("obama", obama)
    await service.enrol("biden", biden)
    await service.client.post(f"{FRIENDS}/reembedding")
    with service.app.state.services.gallery.database.writing() as connection:
        connection.execute(update(CROPS).where(CROPS.c.face == damaged).values(crop=b"no crop"))
    (exported,) = (await service.client.get(f"{FRIENDS}/subjects/obama/export")).json()["faces"]
    assert (exported["id"], exported["crop_base64"]) == (damaged, None)
    found = await service.embed_all()
    assert (found["done"], found["waiting"], found["unusable"]) == (1, 0, 1)
    assert "enrol their photographs again" in (await service.change_model("compact")).json()["detail"]
    assert await service.enrol("obama", obama) == damaged
    assert (await service.embed_all())["complete"] is True
    assert (await service.change_model("compact")).status_code == 200


async def test_a_crop_that_was_shown_has_a_line_in_the_audit_log(
    tmp_path: Path, models_dir: Path, obama: bytes
) -> None:
    async with open_service(tmp_path / "data", models_dir, "sface", None) as service:
        face = await service.enrol("obama", obama)
        assert (await service.client.get(f"{FRIENDS}/faces/{face}/crop")).status_code == 200
        assert (await service.client.get(f"{FRIENDS}/faces/{face[::-1]}/crop")).status_code == 404
    lines = audit_lines(tmp_path / "data")
    (enrolment,) = [line for line in lines if line.get("route", "").endswith("{subject}/faces")]
    (shown,) = [line for line in lines if line.get("route", "").endswith("/crop")]
    assert (shown["event"], shown["subjects"]) == ("shown", enrolment["subjects"])


async def test_a_large_collection_does_not_keep_a_small_one_waiting(
    service: Running, obama: bytes, obama2: bytes, biden: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(two_models, "FACES_AT_ONCE", 1)
    await service.enrol("obama", obama)
    await service.enrol("obama", obama2)
    await service.client.put("/collections/few")
    await service.client.put("/collections/few/subjects/biden", json={})
    await service.client.post("/collections/few/subjects/biden/faces", files={"images": biden})
    for collection in (FRIENDS, "/collections/few"):
        await service.client.post(f"{collection}/reembedding")
    stored: list[str] = []
    reembeddings = service.app.state.services.gallery.reembeddings
    store = reembeddings.store

    async def note(collection: str, *arguments: Any) -> None:
        stored.append(collection)
        await store(collection, *arguments)

    monkeypatch.setattr(reembeddings, "store", note)
    await service.embed_all()
    assert sorted(stored[:2]) == ["few", "friends"]
    assert len(stored) == 3


async def test_the_service_goes_on_after_a_restart_in_the_background(
    tmp_path: Path, models_dir: Path, obama: bytes, obama2: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_service(tmp_path / "data", models_dir, "sface", "compact") as service:
        monkeypatch.setattr(two_models, "PAUSE_S", 0.05)
        await service.enrol("obama", obama)
        await service.client.post(f"{FRIENDS}/reembedding")
    async with open_service(tmp_path / "data", models_dir, "sface", "compact") as service:
        await wait_until_complete(service.client)
        await service.change_model("compact")
    # The operator makes the second model the first one, and then loads it alone.
    async with open_service(tmp_path / "data", models_dir, "compact", "sface") as service:
        assert (await service.identify(obama2))[:2] == ("compact", "obama")
        assert (await service.client.get(f"{FRIENDS}/reembedding")).json()["complete"] is True
    async with open_service(tmp_path / "data", models_dir, "compact", None) as service:
        assert (await service.identify(obama2))[:2] == ("compact", "obama")
        assert (await service.client.delete(f"{FRIENDS}/reembedding")).status_code == 204
        assert (await service.client.get(f"{FRIENDS}/reembedding")).json()["code"] == "reembedding_not_found"


async def test_an_embedding_of_the_second_model_with_a_wrong_length_is_told_the_right_one(service: Running) -> None:
    given = {"embedding": [1.0, 0.0], "model": service.ids["compact"]}
    refused = await service.client.post("/verify", json={"image_a": given, "image_b": given})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_embedding")
    assert "128" in refused.json()["detail"]


async def test_the_same_model_twice_is_refused(tmp_path: Path, models_dir: Path) -> None:
    with pytest.raises(InvalidSettings, match="are the same model"):
        async with open_service(tmp_path / "data", models_dir, "compact", "compact"):
            pass


async def test_another_dimension_can_be_used(
    tmp_path: Path, models_dir: Path, obama: bytes, obama2: bytes, biden: bytes
) -> None:
    async with open_service(tmp_path / "data", models_dir, "sface", "facenet") as service:
        await service.enrol("obama", obama)
        await service.enrol("biden", biden)
        await service.client.post(f"{FRIENDS}/reembedding")
        await service.embed_all()
        await service.change_model("facenet")
        assert (await service.identify(obama2))[:2] == ("facenet", "obama")


async def test_searches_beside_a_change_of_the_model_are_all_answered(
    service: Running, obama: bytes, obama2: bytes, biden: bytes
) -> None:
    await service.enrol("obama", obama)
    await service.enrol("biden", biden)
    await service.client.post(f"{FRIENDS}/reembedding")
    await service.embed_all()
    for former, name in (("sface", "compact"), ("compact", "sface")) * 3:
        searches = [asyncio.create_task(service.identify(obama2)) for _ in range(4)]
        assert (await service.change_model(name)).status_code == 200
        assert {search[:2] for search in await asyncio.gather(*searches)} <= {(former, "obama"), (name, "obama")}
