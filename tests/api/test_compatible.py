"""A collection of one model, searched by another that its card calls compatible: real files, one data directory.

The models are sface: `old` is its very graph, `new` and `stranger` are the same graph with other identities. So `new`
is truly compatible with `old`, and its card says so. `knowing` is `old` with a card that names `new`.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import onnx
import pytest

from models.conversion.card import KEY, with_card
from models.conversion.identity import identity
from service.app import open_app
from service.card import CARD
from service.settings import Models, Settings
from tests.clients import connect
from tests.pictures import as_json

pytestmark = pytest.mark.anyio

VERIFICATION, IDENTIFICATION = 1.111, 0.987
"""The thresholds between the two, unlike any of sface's own."""


def renamed(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """The same numbers of another graph."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    other.graph.node[0].name = name
    return other


def compatible_with(name: str, model: onnx.ModelProto, **thresholds: Any) -> list[dict[str, Any]]:
    """What a card says of it."""
    rate = {"threshold_sq_l2": VERIFICATION, "fmr": 1e-4, "fnmr": 0.02, "impostor_pairs": 9, "genuine_pairs": 9}
    return [
        {
            "name": name,
            "id": identity(model),
            "thresholds": {"verification": VERIFICATION, "chosen_on": "nobody"} | thresholds,
            "error_rates": [rate | {"measured_on": "nobody"}],
        }
    ]


@pytest.fixture(scope="module")
def made(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the four, and of `blunt`: `new` without a threshold for identification between it and `old`."""
    folder = tmp_path_factory.mktemp("models")
    old = onnx.load(models_dir / "sface.onnx")
    fields = CARD.validate_json(next(one.value for one in old.metadata_props if one.key == KEY)).model_dump()
    new, stranger = renamed(old, "new"), renamed(old, "stranger")
    measured = {"identification": {"threshold_sq_l2": IDENTIFICATION, "fpir": 0.01, "references": 1000}}
    for name, model, entries in (
        ("old", old, []),
        ("stranger", stranger, []),
        ("new", new, compatible_with("old", old, **measured)),
        ("blunt", new, compatible_with("old", old)),
        ("knowing", old, compatible_with("new", new, **measured)),
    ):
        card = {**fields, "name": name, "compatible_with": entries}
        (folder / f"{name}.onnx").write_bytes(with_card(model, card))
    return folder


@asynccontextmanager
async def serving(embedder: Path, data_dir: Path, models_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The service of one model over this directory, for as long as it is needed."""
    settings = Settings(data_dir=data_dir, models=Models(dir=models_dir, embedder=str(embedder)))
    async with open_app(settings) as app, connect(app) as client:
        yield client


async def enrol(client: httpx.AsyncClient, collection: str, **people: bytes) -> list[str]:
    """Each person with one photograph; their faces' ids."""
    await client.put(f"/collections/{collection}")
    faces = []
    for name, photograph in people.items():
        path = f"/collections/{collection}/subjects/{name}"
        await client.put(path, json={})
        answer = await client.post(f"{path}/faces", files={"images": photograph})
        assert answer.status_code == 201
        faces.append(answer.json()["results"][0]["face"])
    return faces


@pytest.fixture(scope="module")
async def filled(
    made: Path, models_dir: Path, obama: bytes, biden: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A gallery in which `old`, `new`, `stranger` and `facenet` have each a collection of that name."""
    folder = tmp_path_factory.mktemp("gallery")
    for embedder in (made / "old.onnx", made / "new.onnx", made / "stranger.onnx", models_dir / "facenet.onnx"):
        async with serving(embedder, folder, models_dir) as client:
            await enrol(client, embedder.stem, obama=obama, biden=biden)
    return folder


@pytest.fixture(scope="module")
async def new(
    made: Path, models_dir: Path, filled: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    """The service of `new` over that gallery."""
    gallery = Path(shutil.copytree(filled, tmp_path_factory.mktemp("new") / "gallery"))
    async with serving(made / "new.onnx", gallery, models_dir) as client:
        yield client


@pytest.fixture
def gallery(filled: Path, tmp_path: Path) -> Path:
    """That gallery, for a service of another model."""
    return Path(shutil.copytree(filled, tmp_path / "gallery"))


@pytest.fixture(scope="module")
async def ids(new: httpx.AsyncClient) -> dict[str, str]:
    """The identity of each collection's model."""
    listed = (await new.get("/collections")).json()["items"]
    return {one["id"]: one["model"] for one in listed if one["model"]}


@pytest.fixture
async def vector(new: httpx.AsyncClient, obama2: bytes) -> list[float]:
    """What `old`, `new` and `stranger` alike make of a photograph."""
    answer = await new.post("/embed", params={"include": "embedding"}, files={"images": obama2})
    return list(answer.json()["images"][0]["faces"][0]["embedding"])


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


MISMATCH = (409, "model_mismatch")


async def test_the_loaded_model_says_whom_it_is_compatible_with(new: httpx.AsyncClient, ids: dict[str, str]) -> None:
    answer = (await new.get("/model")).json()
    assert (answer["name"], answer["id"]) == ("new", ids["new"])
    assert answer["compatible_with"] == [
        {"name": "old", "id": ids["old"], "threshold": VERIFICATION, "identification_threshold": IDENTIFICATION}
    ]


async def test_a_collection_of_a_compatible_model_is_searched(
    new: httpx.AsyncClient, ids: dict[str, str], obama2: bytes, photographs: Path
) -> None:
    answer = (await new.post("/identify", params={"collection": "old"}, files={"image": obama2})).json()
    assert [(one["decision"], one["subject"]) for one in answer["faces"]] == [("match", "obama")]
    assert [one["subject"] for one in answer["faces"][0]["candidates"]] == ["obama", "biden"]
    assert answer["threshold"] == IDENTIFICATION
    assert answer["model"] == {"name": "new", "id": ids["new"], "dimension": 128}
    assert answer["compared_with"] == {"name": "old", "id": ids["old"], "dimension": 128}

    stranger = (photographs / "eileen_collins" / "astronaut.png").read_bytes()
    answer = (await new.post("/identify", params={"collection": "old"}, files={"image": stranger})).json()
    assert [one["decision"] for one in answer["faces"]] == ["unknown"]


async def test_its_own_collection_is_searched_at_its_own_threshold(new: httpx.AsyncClient, obama2: bytes) -> None:
    answer = (await new.post("/identify", params={"collection": "new"}, files={"image": obama2})).json()
    assert (answer["threshold"], answer["compared_with"]) == (1.025, None)
    assert answer["faces"][0]["subject"] == "obama"


async def test_an_empty_collection_is_the_loaded_model_s(new: httpx.AsyncClient, obama2: bytes) -> None:
    answer = (await new.post("/identify", files={"image": obama2})).json()
    assert (answer["threshold"], answer["compared_with"], answer["gallery_size"]) == (1.025, None, 0)


async def test_the_threshold_of_the_query_decides_between_two_models_too(
    new: httpx.AsyncClient, obama2: bytes, obama: bytes, ids: dict[str, str], vector: list[float]
) -> None:
    options: dict[str, str | float] = {"collection": "old", "threshold": 0.01}
    identified = (await new.post("/identify", params=options, files={"image": obama2})).json()
    assert (identified["threshold"], identified["faces"][0]["decision"]) == (0.01, "unknown")
    body = {"image_a": as_json(obama), "image_b": {"embedding": vector, "model": ids["old"]}}
    verified = (await new.post("/verify", params={"threshold": 0.01}, json=body)).json()
    assert (verified["threshold"], verified["verified"]) == (0.01, False)


@pytest.mark.parametrize("collection", ["stranger", "facenet"])
async def test_a_collection_of_any_other_model_is_refused(
    new: httpx.AsyncClient, obama2: bytes, collection: str
) -> None:
    answer = await new.post("/identify", params={"collection": collection, "threshold": 1}, files={"image": obama2})
    assert refusal(answer) == MISMATCH
    claimed = {"subject": "obama", "collection": collection}
    answer = await new.post("/verify", json={"image_a": claimed, "image_b": as_json(obama2)})
    assert refusal(answer) == MISMATCH
    assert answer.json()["image"] == "image_a"


@pytest.mark.parametrize("collection", ["old", "stranger", "facenet"])
async def test_only_its_own_model_enrols_in_a_collection(
    new: httpx.AsyncClient, obama2: bytes, collection: str
) -> None:
    path = f"/collections/{collection}/subjects/obama/faces"
    before = (await new.get(f"/collections/{collection}")).json()
    assert refusal(await new.post(path, files={"images": obama2})) == MISMATCH
    assert (await new.get(f"/collections/{collection}")).json() == before


async def test_an_embedding_of_a_compatible_model_is_not_enrolled_as_its_own(
    new: httpx.AsyncClient, vector: list[float], ids: dict[str, str]
) -> None:
    claimed = (await new.get("/collections/old/subjects/obama/faces")).json()["items"][0]["id"]
    await new.put("/collections/new/subjects/somebody", json={})
    images = [{"embedding": vector, "model": ids["old"]}, {"face": claimed, "collection": "old"}]
    answer = await new.post("/collections/new/subjects/somebody/faces", json={"images": images})
    assert refusal(answer) == (422, "nothing_enrolled")
    assert [one["code"] for one in answer.json()["results"]] == ["model_mismatch"] * 2
    assert (await new.get("/collections/new")).json()["faces"] == 2


async def test_a_photograph_is_verified_against_what_a_compatible_model_made(
    new: httpx.AsyncClient, ids: dict[str, str], obama2: bytes, vector: list[float]
) -> None:
    face = (await new.get("/collections/old/subjects/obama/faces")).json()["items"][0]["id"]
    enrolled = {"face": face, "collection": "old"}
    claimed = {"subject": "obama", "collection": "old"}
    given = {"embedding": vector, "model": ids["old"]}
    for side in (enrolled, claimed, given):
        for body in ({"image_a": as_json(obama2), "image_b": side}, {"image_a": side, "image_b": as_json(obama2)}):
            answer = (await new.post("/verify", json=body)).json()
            assert (answer["verified"], answer["threshold"]) == (True, VERIFICATION)
            assert (answer["model"]["id"], answer["compared_with"]["id"]) == (ids["new"], ids["old"])
    within = (await new.post("/verify", json={"image_a": as_json(obama2), "image_b": as_json(obama2)})).json()
    assert (within["threshold"], within["compared_with"]) == (1.242, None)


async def test_an_embedding_of_a_compatible_model_is_searched_in_the_loaded_one_s_collection(
    new: httpx.AsyncClient, ids: dict[str, str], vector: list[float]
) -> None:
    body = {"image": {"embedding": vector, "model": ids["old"]}}
    answer = (await new.post("/identify", params={"collection": "new"}, json=body)).json()
    assert (answer["faces"][0]["subject"], answer["threshold"]) == ("obama", IDENTIFICATION)
    assert (answer["model"]["id"], answer["compared_with"]["id"]) == (ids["new"], ids["old"])


async def test_an_embedding_of_any_other_model_is_refused(
    new: httpx.AsyncClient, ids: dict[str, str], vector: list[float], obama: bytes
) -> None:
    given = {"embedding": vector, "model": ids["stranger"]}
    assert refusal(await new.post("/verify", json={"image_a": given, "image_b": as_json(obama)})) == MISMATCH
    assert refusal(await new.post("/identify", params={"collection": "old"}, json={"image": given})) == MISMATCH


async def test_two_sides_of_a_compatible_model_are_refused_at_any_threshold(
    new: httpx.AsyncClient, ids: dict[str, str], vector: list[float]
) -> None:
    given = {"embedding": vector, "model": ids["old"]}
    for options in ({}, {"threshold": 1.0}):
        assert refusal(await new.post("/verify", params=options, json={"image_a": given, "image_b": given})) == MISMATCH
        searched: dict[str, str | float] = {"collection": "old", **options}
        assert refusal(await new.post("/identify", params=searched, json={"image": given})) == MISMATCH


async def test_faces_of_the_loaded_model_alone_are_embedded_and_grouped(
    new: httpx.AsyncClient, ids: dict[str, str], vector: list[float], obama: bytes
) -> None:
    given = {"embedding": vector, "model": ids["old"]}
    for path in ("/cluster", "/embed"):
        answer = await new.post(path, json={"images": [as_json(obama), given]})
        assert (*refusal(answer), answer.json()["image"]) == (*MISMATCH, "images[1]")
    assert refusal(await new.post("/cluster", json={"embeddings": [vector], "model": ids["old"]})) == MISMATCH
    assert refusal(await new.post("/cluster", params={"collection": "old"})) == MISMATCH


async def test_without_a_threshold_between_the_two_one_is_asked_for(
    made: Path, models_dir: Path, gallery: Path, obama2: bytes
) -> None:
    async with serving(made / "blunt.onnx", gallery, models_dir) as client:
        answer = await client.post("/identify", params={"collection": "old"}, files={"image": obama2})
        assert refusal(answer) == (422, "invalid_option")
        options: dict[str, str | float] = {"collection": "old", "threshold": 1.0}
        answer = await client.post("/identify", params=options, files={"image": obama2})
        assert answer.json()["faces"][0]["subject"] == "obama"


async def test_being_compatible_is_for_the_loaded_model_s_card_to_say(
    made: Path, models_dir: Path, gallery: Path, obama2: bytes
) -> None:
    """`new`'s card names `old`; that `old` may search `new`'s collection does not follow."""
    async with serving(made / "old.onnx", gallery, models_dir) as client:
        answer = await client.post("/identify", params={"collection": "new"}, files={"image": obama2})
        assert refusal(answer) == MISMATCH
        assert (await client.get("/model")).json()["compatible_with"] == []
    async with serving(made / "knowing.onnx", gallery, models_dir) as client:
        answer = await client.post("/identify", params={"collection": "new"}, files={"image": obama2})
        assert answer.json()["faces"][0]["subject"] == "obama"
        assert answer.json()["compared_with"]["name"] == "new"


async def test_a_collection_s_own_model_enrols_after_another_searched_it(
    made: Path, models_dir: Path, gallery: Path, obama2: bytes
) -> None:
    async with serving(made / "new.onnx", gallery, models_dir) as client:
        await client.post("/identify", params={"collection": "old"}, files={"image": obama2})
        assert (await client.get("/readyz")).status_code == 200
    async with serving(made / "old.onnx", gallery, models_dir) as client:
        answer = await client.post("/collections/old/subjects/obama/faces", files={"images": obama2})
        assert answer.status_code == 201


async def test_models_of_two_dimensions_are_never_compared_whatever_a_card_says(
    made: Path, models_dir: Path, gallery: Path, obama2: bytes, tmp_path: Path
) -> None:
    model = onnx.load(made / "old.onnx")
    card = CARD.validate_json(next(one.value for one in model.metadata_props if one.key == KEY)).model_dump()
    card["compatible_with"] = compatible_with("facenet", onnx.load(models_dir / "facenet.onnx"))
    liar = tmp_path / "liar.onnx"
    liar.write_bytes(with_card(model, card))
    async with serving(liar, gallery, models_dir) as client:
        answer = await client.post("/identify", params={"collection": "facenet"}, files={"image": obama2})
        assert refusal(answer) == MISMATCH
