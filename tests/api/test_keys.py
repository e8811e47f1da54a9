"""Who gets in: every route, called without a key, and with keys that are wrong in every way."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from service.access.keyring import Keyring, KeyToCreate
from service.api.access import NEEDS, PUBLIC_ROUTES, Need, require_access
from service.app import describe_app, open_app
from service.domain.access import Scope
from service.settings.environment import Settings
from service.settings.groups import Models
from tests.support.asgi_client import connect_to_app

pytestmark = pytest.mark.anyio

OPERATOR = "the-key-of-the-operator-of-these-tests"
MINE, THEIRS = "mine", "theirs"
ROUTES = sorted(NEEDS, key=lambda route: (route[1], route[0]))
IDS = {"collection": MINE, "subject": "ada", "face": "0" * 32, "key_id": "0" * 12}

Json = dict[str, Any]


@pytest.fixture(scope="module")
async def closed_app(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FastAPI]:
    """Return an application with keys. It has the collections `mine` and `theirs`, with a subject each."""
    folder = tmp_path_factory.mktemp("closed")
    (folder / "operator").write_text(OPERATOR)
    settings = Settings(data_dir=folder / "data", models=Models(dir=models_dir), admin_key_file=folder / "operator")
    async with open_app(settings) as app:
        yield app


@pytest.fixture(scope="module")
async def client(closed_app: FastAPI, obama: bytes) -> AsyncIterator[httpx.AsyncClient]:
    async with connect_to_app(closed_app) as client:
        for collection in (MINE, THEIRS):
            path = f"/collections/{collection}"
            assert (await client.put(path, headers=bearer(OPERATOR))).status_code == 201
            await client.put(f"{path}/subjects/ada", json={"name": "Ada"}, headers=bearer(OPERATOR))
            faces = f"{path}/subjects/ada/faces"
            assert (await client.post(faces, files={"images": obama}, headers=bearer(OPERATOR))).status_code == 201
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@dataclass
class Keys:
    """A key of each kind, made when it is first asked for."""

    keyring: Keyring
    made: dict[str, str] = field(default_factory=dict)

    async def make(self, name: str, new: KeyToCreate) -> str:
        if name not in self.made:
            _, self.made[name] = await self.keyring.create(new)
        return self.made[name]

    async def revoked(self) -> str:
        key = await self.make("revoked", KeyToCreate(list(Scope)))
        listed = {one.stored.id: one for one in self.keyring.list_keys()}
        if listed[key.split("_")[1]].is_valid:
            await self.keyring.revoke(key.split("_")[1])
        return key

    async def expired(self) -> str:
        return await self.make("expired", KeyToCreate(list(Scope), expires_at=datetime.now(UTC) - timedelta(seconds=1)))

    async def foreign(self) -> str:
        return await self.make("foreign", KeyToCreate(list(Scope), [THEIRS]))

    async def without(self, scope: Scope) -> str:
        return await self.make(f"without {scope}", KeyToCreate([one for one in Scope if one is not scope]))

    async def only(self, scope: Scope, *collections: str) -> str:
        return await self.make(f"only {scope} {collections}", KeyToCreate([scope], collections or None))


@pytest.fixture(scope="module")
def keys(closed_app: FastAPI) -> Keys:
    return Keys(closed_app.state.services.keyring)


async def call(client: httpx.AsyncClient, route: tuple[str, str], headers: dict[str, str]) -> httpx.Response:
    method, path = route
    body: Json | None = None if method == "GET" else {}
    return await client.request(method, path.format(**IDS), json=body, headers=headers)


def outcome(answer: httpx.Response) -> str:
    code = answer.json()["code"] if answer.content and answer.is_error else ""
    return f"{answer.status_code} {code}".strip()


async def state(client: httpx.AsyncClient) -> list[Json]:
    """Return everything that a client could have changed."""
    paths = ("/collections", f"/collections/{MINE}/subjects", f"/collections/{MINE}/subjects/ada/faces")
    return [(await client.get(path, headers=bearer(OPERATOR))).json() for path in paths]


def test_every_route_is_in_the_table_of_needs() -> None:
    paths = describe_app(Settings()).openapi()["paths"]
    found = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    assert {route for route in found if route[1] not in PUBLIC_ROUTES} == set(NEEDS)


async def test_a_route_that_is_not_in_the_table_is_refused() -> None:
    app = FastAPI(dependencies=[Depends(require_access)])
    app.add_api_route("/forgotten", lambda: {"secret": 1})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False)) as client:
        assert (await client.get("http://localhost/forgotten")).status_code == 500


async def test_who_gets_in(client: httpx.AsyncClient, keys: Keys) -> None:
    """Each row is a route, each column a kind of key. `pytest -rP` prints the table."""
    before = await state(client)
    wrong_end = "A" if (await keys.only(Scope.READ))[-1] != "A" else "B"
    bad_keys = {
        "wrong": (await keys.only(Scope.READ))[:-1] + wrong_end,
        "expired": await keys.expired(),
        "revoked": await keys.revoked(),
    }
    for route in ROUTES:
        found = {"no key": outcome(await call(client, route, {}))}
        found |= {kind: outcome(await call(client, route, bearer(key))) for kind, key in bad_keys.items()}
        found |= await call_with_narrow_keys(client, keys, route)
        print(f"{route[0]:7}{route[1]:60}", *(f"{kind}: {result:28}" for kind, result in found.items()))  # noqa: T201
        assert found == expected(route)
    assert await state(client) == before


async def call_with_narrow_keys(client: httpx.AsyncClient, keys: Keys, route: tuple[str, str]) -> dict[str, str]:
    found = {}
    if scope := NEEDS[route].scope:
        found["too narrow"] = outcome(await call(client, route, bearer(await keys.without(scope))))
    if NEEDS[route].all_collections or "{collection}" in route[1]:
        found["another tenant's"] = outcome(await call(client, route, bearer(await keys.foreign())))
    return found


def expected(route: tuple[str, str]) -> dict[str, str]:
    need: Need = NEEDS[route]
    found = {"no key": "401 key_missing"} | dict.fromkeys(("wrong", "expired", "revoked"), "401 key_invalid")
    if need.scope:
        found["too narrow"] = "403 scope_missing"
    if need.all_collections:
        found["another tenant's"] = "403 all_collections_needed"
    elif "{collection}" in route[1]:
        found["another tenant's"] = "404 collection_not_found"
    return found


async def test_the_right_key_gets_in_everywhere(client: httpx.AsyncClient, keys: Keys) -> None:
    deletions_last = sorted((route for route in ROUTES if "DELETE" not in route), key=lambda route: route[1])
    for route in deletions_last:
        scope = NEEDS[route].scope or Scope.READ
        collections = () if NEEDS[route].all_collections else (MINE,)
        answer = await call(client, route, bearer(await keys.only(scope, *collections)))
        assert answer.status_code not in {401, 403}, route
        assert outcome(answer) != "404 collection_not_found", route


async def test_bad_keys_get_the_same_answer_to_the_byte(client: httpx.AsyncClient, keys: Keys) -> None:
    answers = [
        await client.get("/model", headers=bearer(key))
        for key in ("x", await keys.expired(), await keys.revoked(), "facenet_" + "0" * 12 + "_" + "A" * 43)
    ]
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Bearer realm="facenet"'}


@pytest.mark.parametrize(
    "path",
    ["/", "/livez", "/readyz", "/docs", "/openapi.json", "/static-offline-docs/swagger-ui.css", "/console/app.js"],
)
async def test_probes_and_the_description_need_no_key(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/nothing", "/collections/", "//collections", "/livez/", "/livez/../collections", "/docs/../collections",
        "/static-offline-docs/../collections", "/static-offline-docs", "/console", "/console/../collections",
        "/Collections", "/%63ollections", "/livez%00",
    ],
)  # fmt: skip
async def test_no_spelling_of_a_path_gets_around_the_key(client: httpx.AsyncClient, path: str) -> None:
    request = client.build_request("GET", "http://localhost/")
    request.url = httpx.URL("http://localhost").copy_with(raw_path=path.encode())
    assert (await client.send(request)).status_code in {401, 404}
    assert "items" not in (await client.send(request)).text


async def test_a_key_can_be_sent_in_two_ways_but_not_as_two_keys(client: httpx.AsyncClient, keys: Keys) -> None:
    key, other = await keys.only(Scope.READ), await keys.only(Scope.VERIFY)
    for headers in (
        bearer(key),
        {"x-api-key": key},
        {"Authorization": f"bearer  {key}"},
        bearer(key) | {"x-api-key": key},
    ):
        assert (await client.get("/model", headers=headers)).status_code == 200
    refused = await client.get("/model", headers=bearer(key) | {"x-api-key": other})
    assert outcome(refused) == "401 key_invalid"
    for headers in ({"Authorization": f"Basic {key}"}, {"Authorization": key}, {"Cookie": f"x-api-key={key}"}):
        assert outcome(await client.get("/model", headers=headers)) == "401 key_missing"
    assert outcome(await client.get("/model", params={"x-api-key": key})) == "401 key_missing"


FOREIGN_REFERENCES: list[Json] = [
    {"subject": "ada", "collection": MINE},
    {"subject": "nobody", "collection": MINE},
    {"subject": "ada", "collection": "never_made"},
    {"face": "0" * 32, "collection": MINE},
]


@pytest.mark.parametrize("reference", FOREIGN_REFERENCES)
async def test_a_body_cannot_name_what_another_tenant_stored(
    client: httpx.AsyncClient, keys: Keys, reference: Json
) -> None:
    headers = bearer(await keys.foreign())
    own = {"subject": "ada", "collection": THEIRS}
    bodies: dict[str, Json] = {
        "/verify": {"image_a": reference, "image_b": own},
        "/identify?collection=theirs": {"image": reference},
        "/embed": {"images": [reference]},
        "/cluster": {"images": [own, reference]},
        f"/collections/{THEIRS}/subjects/ada/faces": {"images": [{"face": "0" * 32, "collection": MINE}]},
    }
    for path, body in bodies.items():
        answer = await client.post(path, json=body, headers=headers)
        assert "collection_not_found" in answer.text, (path, answer.text)
        assert "ada" not in answer.text


@pytest.mark.parametrize("collection", [MINE, "never_made", "default"])
async def test_a_query_cannot_name_what_another_tenant_stored(
    client: httpx.AsyncClient, keys: Keys, collection: str, obama: bytes
) -> None:
    headers, query = bearer(await keys.foreign()), {"collection": collection}
    identified = await client.post("/identify", params=query, files={"image": obama}, headers=headers)
    clustered = await client.post("/cluster", params=query, headers=headers)
    assert {outcome(identified), outcome(clustered)} == {"404 collection_not_found"}


async def test_a_key_without_read_cannot_list_a_collection_by_its_clusters(
    client: httpx.AsyncClient, keys: Keys, obama: bytes
) -> None:
    verify = bearer(await keys.only(Scope.VERIFY, MINE))
    for collection in (MINE, THEIRS, "never_made", ""):
        refused = await client.post("/cluster", params={"collection": collection}, headers=verify)
        assert outcome(refused) == "403 scope_missing"
        assert "`read`" in refused.json()["detail"]
    assert (await client.post("/cluster", files={"images": obama}, headers=verify)).status_code == 200
    embedded = await client.post("/embed?include=embedding", files={"images": obama}, headers=verify)
    embedding, model = embedded.json()["images"][0]["faces"][0]["embedding"], embedded.json()["model"]["id"]
    body = {"embeddings": [embedding], "model": model}
    assert (await client.post("/cluster", json=body, headers=verify)).status_code == 200


async def test_a_key_without_read_cannot_get_stored_embeddings(client: httpx.AsyncClient, keys: Keys) -> None:
    verify = bearer(await keys.only(Scope.VERIFY, MINE))
    both = bearer(await keys.make("verify and read", KeyToCreate([Scope.VERIFY, Scope.READ], [MINE])))
    face = (await client.get(f"/collections/{MINE}/subjects/ada/faces", headers=both)).json()["items"][0]["id"]
    for stored in ({"subject": "ada", "collection": MINE}, {"face": face, "collection": MINE}):
        for path in ("/embed", "/embed?include=embedding"):
            refused = await client.post(path, json={"images": [stored]}, headers=verify)
            assert outcome(refused) == "403 scope_missing"
            assert "`read`" in refused.json()["detail"]
        answer = await client.post("/embed?include=embedding", json={"images": [stored]}, headers=both)
        assert len(answer.json()["images"][0]["faces"][0]["embedding"]) == 128
        compared = await client.post("/verify", json={"image_a": stored, "image_b": stored}, headers=verify)
        assert compared.json()["verified"] is True


async def test_the_clusters_of_a_collection_need_verify_and_read(client: httpx.AsyncClient, keys: Keys) -> None:
    both = bearer(await keys.make("verify and read", KeyToCreate([Scope.VERIFY, Scope.READ], [MINE])))
    answer = await client.post("/cluster", params={"collection": MINE}, headers=both)
    assert [face["subject"] for face in answer.json()["faces"]] == ["ada"]
    assert outcome(await client.post("/cluster?collection=theirs", headers=both)) == "404 collection_not_found"
    read = bearer(await keys.only(Scope.READ, MINE))
    refused = await client.post("/cluster", params={"collection": MINE}, headers=read)
    assert outcome(refused) == "403 scope_missing"
    assert "`verify`" in refused.json()["detail"]


async def test_a_list_has_only_the_collections_of_the_key(client: httpx.AsyncClient, keys: Keys) -> None:
    listed = (await client.get("/collections", headers=bearer(await keys.foreign()))).json()
    assert [item["id"] for item in listed["items"]] == [THEIRS]
    page = (await client.get("/collections?limit=1", headers=bearer(await keys.foreign()))).json()
    assert page["next_cursor"] is None


async def test_a_key_of_one_collection_cannot_create_another(client: httpx.AsyncClient, keys: Keys) -> None:
    before = await state(client)
    answer = await client.put("/collections/new", headers=bearer(await keys.only(Scope.ENROL, THEIRS)))
    assert outcome(answer) == "404 collection_not_found"
    assert await state(client) == before


async def test_the_default_collection_can_be_deleted_by_a_key_that_sees_only_it(
    client: httpx.AsyncClient, keys: Keys
) -> None:
    headers = bearer(await keys.only(Scope.ADMIN, "default"))
    assert (await client.delete("/collections/default", headers=headers)).status_code == 204
    listed = await client.get("/collections/default", headers=bearer(OPERATOR))
    assert listed.status_code == 200


async def test_a_probe_without_a_key_can_rebuild_an_index(closed_app: FastAPI, client: httpx.AsyncClient) -> None:
    indexes = closed_app.state.services.gallery.face_search
    indexes[MINE].remove([1, 2])
    assert (await client.get("/readyz")).status_code == 503
    assert (await client.get("/readyz")).status_code == 200


async def test_a_key_is_made_used_rotated_and_revoked_over_http(client: httpx.AsyncClient) -> None:
    body = {"scopes": ["read"], "collections": [MINE], "label": "front door", "expires_in_s": 60, "images_per_day": 5}
    made = await client.post("/keys", json=body, headers=bearer(OPERATOR))
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    key = made.json()
    assert (await client.get(f"/collections/{MINE}", headers=bearer(key["key"]))).status_code == 200
    listed = (await client.get("/keys", headers=bearer(OPERATOR))).json()["items"]
    (found,) = [item for item in listed if item["id"] == key["id"]]
    assert (found["label"], found["scopes"], found["collections"]) == ("front door", ["read"], [MINE])
    assert found["last_used_at"] is not None
    assert "key" not in found
    assert key["key"] not in str(listed)
    rotated = await client.post(f"/keys/{key['id']}/rotate?overlap_s=60", headers=bearer(OPERATOR))
    assert rotated.status_code == 201
    for text in (key["key"], rotated.json()["key"]):
        assert (await client.get(f"/collections/{MINE}", headers=bearer(text))).status_code == 200
    assert (await client.delete(f"/keys/{key['id']}", headers=bearer(OPERATOR))).status_code == 204
    assert outcome(await client.get("/model", headers=bearer(key["key"]))) == "401 key_invalid"
    assert outcome(await client.delete(f"/keys/{key['id']}", headers=bearer(OPERATOR))) == "404 key_not_found"


async def test_the_example_of_the_description_makes_a_key(closed_app: FastAPI, client: httpx.AsyncClient) -> None:
    content = closed_app.openapi()["paths"]["/keys"]["post"]["requestBody"]["content"]["application/json"]
    answer = await client.post("/keys", json=content["examples"]["example"]["value"], headers=bearer(OPERATOR))
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {}, {"scopes": []}, {"scopes": ["all"]}, {"scopes": ["read"], "collections": []},
        {"scopes": ["read"], "collections": ["../x"]}, {"scopes": ["read"], "expires_in_s": 0},
        {"scopes": ["read"], "requests_per_minute": 0}, {"scopes": ["read"], "label": "\n"},
        {"scopes": ["read"], "key": "mine"},
        {"scopes": ["metrics"], "collections": ["mine"]},
    ],
)  # fmt: skip
async def test_an_invalid_key_to_create_is_422(client: httpx.AsyncClient, body: Json) -> None:
    assert outcome(await client.post("/keys", json=body, headers=bearer(OPERATOR))) == "422 invalid_request"


async def test_requests_above_the_rate_of_a_key_are_429(client: httpx.AsyncClient, keys: Keys) -> None:
    key = await keys.make("slow", KeyToCreate([Scope.READ], requests_per_minute=1))
    assert (await client.get("/model", headers=bearer(key))).status_code == 200
    refused = await client.get("/model", headers=bearer(key))
    assert outcome(refused) == "429 rate_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert (await client.get("/model", headers=bearer(await keys.only(Scope.READ)))).status_code == 200


async def test_images_above_the_quota_of_a_key_are_429(client: httpx.AsyncClient, keys: Keys, obama: bytes) -> None:
    key = await keys.make("few images", KeyToCreate([Scope.VERIFY], images_per_day=3))
    files = {"image_a": obama, "image_b": obama}
    assert (await client.post("/verify", files=files, headers=bearer(key))).status_code == 200
    refused = await client.post("/verify", files=files, headers=bearer(key))
    assert outcome(refused) == "429 quota_used"
    assert int(refused.headers["retry-after"]) <= 86_400
    assert (await client.post("/embed", files={"images": obama}, headers=bearer(key))).status_code == 200


async def test_a_key_that_is_revoked_while_the_body_comes_can_do_nothing_more(
    client: httpx.AsyncClient, keys: Keys
) -> None:
    key = await keys.make("slow body", KeyToCreate(list(Scope)))

    async def body() -> AsyncIterator[bytes]:
        yield b'{"scopes": '
        await client.delete(f"/keys/{key.split('_')[1]}", headers=bearer(OPERATOR))
        yield b'["admin"]}'

    before = (await client.get("/keys", headers=bearer(OPERATOR))).json()["items"]
    headers = bearer(key) | {"Content-Type": "application/json"}
    assert outcome(await client.post("/keys", content=body(), headers=headers)) == "401 key_invalid"
    after = (await client.get("/keys", headers=bearer(OPERATOR))).json()["items"]
    assert [item["id"] for item in after] == [item["id"] for item in before]
