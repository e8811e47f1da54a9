"""A collection of one model is searched by a compatible model. The model files are real, in one data directory.

All models compute what sface computes. `old` is sface. `new` and `unrelated` have its graph with other ids. So `new`
really is compatible with `old`, and its card names `old`. `old_naming_new` is `old` with a card that names `new`.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import onnx
import pytest

from models.conversion.card import CARD_KEY, to_bytes_with_card
from models.conversion.identity import compute_identity
from service.app import open_app
from service.model_files.card import CARD_ADAPTER
from service.settings.environment import Settings
from service.settings.groups import Models
from tests.support.asgi_client import connect_to_app
from tests.support.sample_images import base64_image

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

VERIFICATION, IDENTIFICATION = 1.111, 0.987
"""The thresholds between `old` and `new`. They differ from all thresholds of sface."""


def rename_first_node(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Return the same network with another name of its first node. So it has another id."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.graph.node[0].name = name
    return copy


def compatible_with_entries(name: str, model: onnx.ModelProto, **thresholds: Any) -> list[dict[str, Any]]:
    """Return the field `compatible_with` of a card that names this model."""
    rate = {"threshold_sq_l2": VERIFICATION, "fmr": 1e-4, "fnmr": 0.02, "non_mated_pairs": 9, "mated_pairs": 9}
    return [
        {
            "name": name,
            "id": compute_identity(model),
            "thresholds": {"verification": VERIFICATION, "chosen_on": "nobody"} | thresholds,
            "error_rates": [rate | {"measured_on": "nobody"}],
        }
    ]


@pytest.fixture(scope="module")
def model_files(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of the four models, and of `new_without_identification`.

    That is `new` with a card that has no threshold for identification between `old` and `new`.
    """
    folder = tmp_path_factory.mktemp("models")
    old = onnx.load(models_dir / "sface.onnx")
    fields = CARD_ADAPTER.validate_json(
        next(entry.value for entry in old.metadata_props if entry.key == CARD_KEY)
    ).model_dump()
    new, unrelated = rename_first_node(old, "new"), rename_first_node(old, "unrelated")
    measured = {"identification": {"threshold_sq_l2": IDENTIFICATION, "fpir": 0.01, "references": 1000}}
    for name, model, entries in (
        ("old", old, []),
        ("unrelated", unrelated, []),
        ("new", new, compatible_with_entries("old", old, **measured)),
        ("new_without_identification", new, compatible_with_entries("old", old)),
        ("old_naming_new", old, compatible_with_entries("new", new, **measured)),
    ):
        card = {**fields, "name": name, "compatible_with": entries}
        (folder / f"{name}.onnx").write_bytes(to_bytes_with_card(model, card))
    return folder


@asynccontextmanager
async def open_client(
    embedder: Path, data_dir: Path, models_dir: Path, second: Path | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Open the service with this embedder, and perhaps a second one, and this data directory. Yield a client."""
    next_embedder = None if second is None else str(second)
    models = Models(dir=models_dir, embedder=str(embedder), next_embedder=next_embedder)
    settings = Settings(data_dir=data_dir, models=models)
    async with open_app(settings) as app, connect_to_app(app) as client:
        yield client


async def enrol(client: httpx.AsyncClient, collection: str, **people: bytes) -> list[str]:
    """Enrol one photograph of each person, and return the ids of the faces."""
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
async def filled_gallery(
    model_files: Path, models_dir: Path, obama: bytes, biden: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a gallery with a collection of each of `old`, `new`, `unrelated` and `facenet`, under these names."""
    folder = tmp_path_factory.mktemp("gallery")
    for embedder in (
        model_files / "old.onnx",
        model_files / "new.onnx",
        model_files / "unrelated.onnx",
        models_dir / "facenet.onnx",
    ):
        async with open_client(embedder, folder, models_dir) as client:
            await enrol(client, embedder.stem, obama=obama, biden=biden)
    return folder


@pytest.fixture(scope="module")
async def client_of_new(
    model_files: Path, models_dir: Path, filled_gallery: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the service with the model `new` and a copy of the filled gallery."""
    gallery_copy = Path(shutil.copytree(filled_gallery, tmp_path_factory.mktemp("new") / "gallery"))
    async with open_client(model_files / "new.onnx", gallery_copy, models_dir) as client:
        yield client


@pytest.fixture
def gallery_copy(filled_gallery: Path, tmp_path: Path) -> Path:
    """Return a copy of the filled gallery, for a service with another model."""
    return Path(shutil.copytree(filled_gallery, tmp_path / "gallery"))


@pytest.fixture(scope="module")
async def model_ids(client_of_new: httpx.AsyncClient) -> dict[str, str]:
    """Return the id of the model of each collection."""
    listed = (await client_of_new.get("/collections")).json()["items"]
    return {collection["id"]: collection["model"] for collection in listed if collection["model"]}


@pytest.fixture
async def embedding(client_of_new: httpx.AsyncClient, obama2: bytes) -> list[float]:
    """Return the embedding of a photograph. It is the same from `old`, `new` and `unrelated`."""
    answer = await client_of_new.post("/embed", params={"include": "embedding"}, files={"images": obama2})
    return list(answer.json()["images"][0]["faces"][0]["embedding"])


def status_and_code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


MISMATCH = (409, "model_mismatch")


async def test_the_loaded_model_names_its_compatible_models(
    client_of_new: httpx.AsyncClient, model_ids: dict[str, str]
) -> None:
    answer = (await client_of_new.get("/model")).json()
    assert (answer["name"], answer["id"]) == ("new", model_ids["new"])
    assert answer["compatible_with"] == [
        {
            "name": "old",
            "id": model_ids["old"],
            "threshold": VERIFICATION,
            "identification_threshold": IDENTIFICATION,
            "calibration": None,
        }
    ]


async def test_a_collection_of_a_compatible_model_is_searched(
    client_of_new: httpx.AsyncClient, model_ids: dict[str, str], obama2: bytes, photographs: Path
) -> None:
    answer = (await client_of_new.post("/identify", params={"collection": "old"}, files={"image": obama2})).json()
    assert [(face["decision"], face["subject"]) for face in answer["faces"]] == [("match", "obama")]
    assert [candidate["subject"] for candidate in answer["faces"][0]["candidates"]] == ["obama", "biden"]
    assert (answer["threshold"], answer["fpir"]) == (IDENTIFICATION, None)
    assert "no calibration" in answer["fpir_missing"]
    assert answer["model"] == {"name": "new", "id": model_ids["new"], "dimension": 128}
    assert answer["compared_with"] == {"name": "old", "id": model_ids["old"], "dimension": 128}

    unknown_person = (photographs / "eileen_collins" / "astronaut.png").read_bytes()
    answer = (
        await client_of_new.post("/identify", params={"collection": "old"}, files={"image": unknown_person})
    ).json()
    assert [face["decision"] for face in answer["faces"]] == ["unknown"]


async def test_between_two_models_without_a_calibration_a_rate_is_refused(
    client_of_new: httpx.AsyncClient, obama2: bytes
) -> None:
    options: dict[str, str | float] = {"collection": "old", "max_fpir": 0.01}
    answer = await client_of_new.post("/identify", params=options, files={"image": obama2})
    assert (answer.status_code, answer.json()["code"]) == (422, "rate_not_measured")


async def test_a_collection_of_the_loaded_model_is_searched_at_its_own_threshold(
    client_of_new: httpx.AsyncClient, obama2: bytes
) -> None:
    answer = (await client_of_new.post("/identify", params={"collection": "new"}, files={"image": obama2})).json()
    assert (answer["threshold"], answer["compared_with"]) == (1.242, None)
    assert answer["faces"][0]["subject"] == "obama"


async def test_an_empty_collection_is_searched_as_one_of_the_loaded_model(
    client_of_new: httpx.AsyncClient, obama2: bytes
) -> None:
    answer = (await client_of_new.post("/identify", files={"image": obama2})).json()
    assert (answer["threshold"], answer["compared_with"], answer["gallery_size"]) == (1.242, None, 0)


async def test_the_threshold_of_the_query_is_used_between_two_models(
    client_of_new: httpx.AsyncClient, obama2: bytes, obama: bytes, model_ids: dict[str, str], embedding: list[float]
) -> None:
    options: dict[str, str | float] = {"collection": "old", "threshold": 0.01}
    identified = (await client_of_new.post("/identify", params=options, files={"image": obama2})).json()
    assert (identified["threshold"], identified["faces"][0]["decision"]) == (0.01, "unknown")
    body = {"image_a": base64_image(obama), "image_b": {"embedding": embedding, "model": model_ids["old"]}}
    verified = (await client_of_new.post("/verify", params={"threshold": 0.01}, json=body)).json()
    assert (verified["threshold"], verified["verified"]) == (0.01, False)


@pytest.mark.parametrize("collection", ["unrelated", "facenet"])
async def test_a_collection_of_any_other_model_is_refused(
    client_of_new: httpx.AsyncClient, obama2: bytes, collection: str
) -> None:
    answer = await client_of_new.post(
        "/identify", params={"collection": collection, "threshold": 1}, files={"image": obama2}
    )
    assert status_and_code(answer) == MISMATCH
    subject_image = {"subject": "obama", "collection": collection}
    answer = await client_of_new.post("/verify", json={"image_a": subject_image, "image_b": base64_image(obama2)})
    assert status_and_code(answer) == MISMATCH
    assert answer.json()["image"] == "image_a"


@pytest.mark.parametrize("collection", ["old", "unrelated", "facenet"])
async def test_enrolment_in_a_collection_of_another_model_is_refused(
    client_of_new: httpx.AsyncClient, obama2: bytes, collection: str
) -> None:
    path = f"/collections/{collection}/subjects/obama/faces"
    before = (await client_of_new.get(f"/collections/{collection}")).json()
    assert status_and_code(await client_of_new.post(path, files={"images": obama2})) == MISMATCH
    assert (await client_of_new.get(f"/collections/{collection}")).json() == before


async def test_an_embedding_of_a_compatible_model_is_not_enrolled(
    client_of_new: httpx.AsyncClient, embedding: list[float], model_ids: dict[str, str]
) -> None:
    face = (await client_of_new.get("/collections/old/subjects/obama/faces")).json()["items"][0]["id"]
    await client_of_new.put("/collections/new/subjects/somebody", json={})
    images = [{"embedding": embedding, "model": model_ids["old"]}, {"face": face, "collection": "old"}]
    answer = await client_of_new.post("/collections/new/subjects/somebody/faces", json={"images": images})
    assert status_and_code(answer) == (422, "nothing_enrolled")
    assert [result["code"] for result in answer.json()["results"]] == ["model_mismatch"] * 2
    assert (await client_of_new.get("/collections/new")).json()["faces"] == 2


async def test_a_photograph_is_verified_against_embeddings_of_a_compatible_model(
    client_of_new: httpx.AsyncClient, model_ids: dict[str, str], obama2: bytes, embedding: list[float]
) -> None:
    face = (await client_of_new.get("/collections/old/subjects/obama/faces")).json()["items"][0]["id"]
    face_image = {"face": face, "collection": "old"}
    subject_image = {"subject": "obama", "collection": "old"}
    embedding_image = {"embedding": embedding, "model": model_ids["old"]}
    for other_image in (face_image, subject_image, embedding_image):
        for body in (
            {"image_a": base64_image(obama2), "image_b": other_image},
            {"image_a": other_image, "image_b": base64_image(obama2)},
        ):
            answer = (await client_of_new.post("/verify", json=body)).json()
            assert (answer["verified"], answer["threshold"]) == (True, VERIFICATION)
            assert (answer["model"]["id"], answer["compared_with"]["id"]) == (model_ids["new"], model_ids["old"])
    same_model = (
        await client_of_new.post("/verify", json={"image_a": base64_image(obama2), "image_b": base64_image(obama2)})
    ).json()
    assert (same_model["threshold"], same_model["compared_with"]) == (1.242, None)


async def test_an_embedding_of_a_compatible_model_is_searched_in_a_collection_of_the_loaded_model(
    client_of_new: httpx.AsyncClient, model_ids: dict[str, str], embedding: list[float]
) -> None:
    body = {"image": {"embedding": embedding, "model": model_ids["old"]}}
    answer = (await client_of_new.post("/identify", params={"collection": "new"}, json=body)).json()
    assert (answer["faces"][0]["subject"], answer["threshold"]) == ("obama", IDENTIFICATION)
    assert (answer["model"]["id"], answer["compared_with"]["id"]) == (model_ids["new"], model_ids["old"])


async def test_an_embedding_of_any_other_model_is_refused(
    client_of_new: httpx.AsyncClient, model_ids: dict[str, str], embedding: list[float], obama: bytes
) -> None:
    embedding_image = {"embedding": embedding, "model": model_ids["unrelated"]}
    assert (
        status_and_code(
            await client_of_new.post("/verify", json={"image_a": embedding_image, "image_b": base64_image(obama)})
        )
        == MISMATCH
    )
    assert (
        status_and_code(
            await client_of_new.post("/identify", params={"collection": "old"}, json={"image": embedding_image})
        )
        == MISMATCH
    )


async def test_two_embeddings_of_a_compatible_model_are_refused_at_any_threshold(
    client_of_new: httpx.AsyncClient, model_ids: dict[str, str], embedding: list[float]
) -> None:
    embedding_image = {"embedding": embedding, "model": model_ids["old"]}
    for options in ({}, {"threshold": 1.0}):
        assert (
            status_and_code(
                await client_of_new.post(
                    "/verify", params=options, json={"image_a": embedding_image, "image_b": embedding_image}
                )
            )
            == MISMATCH
        )
        search_options: dict[str, str | float] = {"collection": "old", **options}
        assert (
            status_and_code(
                await client_of_new.post("/identify", params=search_options, json={"image": embedding_image})
            )
            == MISMATCH
        )


async def test_only_faces_of_the_loaded_model_are_embedded_and_clustered(
    client_of_new: httpx.AsyncClient, model_ids: dict[str, str], embedding: list[float], obama: bytes
) -> None:
    embedding_image = {"embedding": embedding, "model": model_ids["old"]}
    for path in ("/cluster", "/embed"):
        answer = await client_of_new.post(path, json={"images": [base64_image(obama), embedding_image]})
        assert (*status_and_code(answer), answer.json()["image"]) == (*MISMATCH, "images[1]")
    assert (
        status_and_code(
            await client_of_new.post("/cluster", json={"embeddings": [embedding], "model": model_ids["old"]})
        )
        == MISMATCH
    )
    assert status_and_code(await client_of_new.post("/cluster", params={"collection": "old"})) == MISMATCH


async def test_a_threshold_is_required_if_the_card_has_none_between_the_two_models(
    model_files: Path, models_dir: Path, gallery_copy: Path, obama2: bytes
) -> None:
    async with open_client(model_files / "new_without_identification.onnx", gallery_copy, models_dir) as client:
        answer = await client.post("/identify", params={"collection": "old"}, files={"image": obama2})
        assert status_and_code(answer) == (422, "invalid_option")
        options: dict[str, str | float] = {"collection": "old", "threshold": 1.0}
        answer = await client.post("/identify", params=options, files={"image": obama2})
        assert answer.json()["faces"][0]["subject"] == "obama"


async def test_only_the_card_of_the_loaded_model_makes_models_compatible(
    model_files: Path, models_dir: Path, gallery_copy: Path, obama2: bytes
) -> None:
    """The card of `new` names `old`. This does not allow `old` to search the collection of `new`."""
    async with open_client(model_files / "old.onnx", gallery_copy, models_dir) as client:
        answer = await client.post("/identify", params={"collection": "new"}, files={"image": obama2})
        assert status_and_code(answer) == MISMATCH
        assert (await client.get("/model")).json()["compatible_with"] == []
    async with open_client(model_files / "old_naming_new.onnx", gallery_copy, models_dir) as client:
        answer = await client.post("/identify", params={"collection": "new"}, files={"image": obama2})
        assert answer.json()["faces"][0]["subject"] == "obama"
        assert answer.json()["compared_with"]["name"] == "new"


async def test_a_model_enrols_in_its_collection_after_another_model_searched_it(
    model_files: Path, models_dir: Path, gallery_copy: Path, obama2: bytes
) -> None:
    async with open_client(model_files / "new.onnx", gallery_copy, models_dir) as client:
        await client.post("/identify", params={"collection": "old"}, files={"image": obama2})
        assert (await client.get("/readyz")).status_code == 200
    async with open_client(model_files / "old.onnx", gallery_copy, models_dir) as client:
        answer = await client.post("/collections/old/subjects/obama/faces", files={"images": obama2})
        assert answer.status_code == 201


async def test_models_of_different_dimensions_are_not_compared_even_if_a_card_names_them(
    model_files: Path, models_dir: Path, gallery_copy: Path, obama2: bytes, tmp_path: Path
) -> None:
    model = onnx.load(model_files / "old.onnx")
    card = CARD_ADAPTER.validate_json(
        next(entry.value for entry in model.metadata_props if entry.key == CARD_KEY)
    ).model_dump()
    card["compatible_with"] = compatible_with_entries("facenet", onnx.load(models_dir / "facenet.onnx"))
    wrong_card_file = tmp_path / "wrong_card.onnx"
    wrong_card_file.write_bytes(to_bytes_with_card(model, card))
    async with open_client(wrong_card_file, gallery_copy, models_dir) as client:
        answer = await client.post("/identify", params={"collection": "facenet"}, files={"image": obama2})
        assert status_and_code(answer) == MISMATCH


async def test_a_collection_of_a_model_that_is_compatible_with_the_second_one_is_searched_by_that(
    model_files: Path, models_dir: Path, gallery_copy: Path, obama2: bytes
) -> None:
    first, second = model_files / "unrelated.onnx", model_files / "new.onnx"
    async with open_client(first, gallery_copy, models_dir, second) as client:
        answer = await client.post("/identify?collection=old", files={"image": obama2})
        assert answer.status_code == 200
        assert answer.json()["model"]["name"] == "new"
        assert answer.json()["faces"][0]["subject"] == "obama"
        stored = {"subject": "obama", "collection": "old"}
        body = {"image_a": base64_image(obama2), "image_b": stored}
        verified = (await client.post("/verify", json=body)).json()
        assert (verified["verified"], verified["model"]["name"]) == (True, "new")
        begun = await client.post("/collections/old/reembedding")
        assert begun.json()["model"] == verified["model"]["id"]
