"""docker/compose.milvus.yml: the replicas of compose.scale.yml search with a Milvus server that only they reach."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.gallery.search.milvus.address import MilvusAddress
from service.settings.environment import PREFIX, load_settings
from tests.deployment.manifests import ROOT, Manifest, image_values
from tests.deployment.test_compose_scale import GUIDE, REPLICAS, SCALE, secret_files
from tests.deployment.test_compose_scale import services as scaled_services
from tests.deployment.test_images import SETTINGS, compose_config

MILVUS = "docker/compose.milvus.yml"
LAST_OFFICIAL_OF_ROOT = (2, 6)
"""The last version of Milvus whose image belongs to root. That of 3.0 belongs to another user."""
each_replica = pytest.mark.parametrize("replica", REPLICAS)


def config(**variables: str) -> Manifest:
    return compose_config("docker-compose.yml", SCALE, MILVUS, profile="monitoring", **variables)


def services() -> dict[str, Any]:
    found: dict[str, Any] = config()["services"]
    return found


def test_it_adds_milvus_and_what_prepares_its_volume() -> None:
    before = scaled_services("monitoring")
    assert services().keys() - before.keys() == {"milvus", "milvus-volume"}
    assert {name for name, service in before.items() if services()[name] != service} == {*REPLICAS}


@each_replica
def test_a_replica_is_that_of_compose_scale_but_for_its_index(replica: str) -> None:
    before, after = scaled_services()[replica], services()[replica]
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert changed == {"environment", "secrets", "networks", "depends_on"}
    variables = {key for key, value in after["environment"].items() if before["environment"].get(key) != value}
    assert variables <= SETTINGS
    assert before["networks"].keys() < after["networks"].keys()
    assert all(secret in after["secrets"] for secret in before["secrets"])


@each_replica
def test_the_replicas_search_with_the_service_milvus(replica: str, monkeypatch: pytest.MonkeyPatch) -> None:
    replica_config = services()[replica]
    for name, value in (image_values("service", "cpu", "ENV") | replica_config["environment"]).items():
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, value)
    gallery = load_settings().gallery
    assert gallery.index == "milvus"
    assert gallery.url is not None, "the records are in PostgreSQL"
    assert gallery.milvus_uri is not None
    assert str(MilvusAddress(gallery.milvus_uri.get_secret_value())) == "milvus:19530"
    assert str(gallery.milvus_token_file) in secret_files(replica_config, MILVUS)
    assert replica_config["depends_on"]["milvus"]["condition"] == "service_healthy"


def test_milvus_asks_for_a_password_that_is_in_files_only() -> None:
    milvus = services()["milvus"]
    assert milvus["environment"]["COMMON_SECURITY_AUTHORIZATIONENABLED"] == "true"
    assert "password" not in str(milvus["environment"]).lower()
    assert secret_files(milvus, MILVUS) == {"/milvus/configs/user.yaml": "milvus_user.yaml"}
    assert (
        r"""printf 'common:\n  security:\n    defaultRootPassword: "%s"\n' "$password" > var/keys/milvus_user.yaml"""
        in (GUIDE)
    )
    assert r"""printf 'root:%s\n' "$password" > var/keys/milvus_token""" in GUIDE


def test_the_containers_are_hardened_and_their_images_are_pinned() -> None:
    for name in ("milvus", "milvus-volume"):
        container = services()[name]
        assert container["read_only"] is True, name
        assert container["cap_drop"] == ["ALL"], name
        assert container["security_opt"] == ["no-new-privileges:true"], name
        assert "ports" not in container, name
        assert int(container["mem_limit"]) > 0, name
        version = re.fullmatch(r"milvusdb/milvus:v(\d+)\.(\d+)\.\d+", container["image"])
        assert version is not None, name
        assert tuple(map(int, version.groups())) <= LAST_OFFICIAL_OF_ROOT, name


def test_milvus_is_not_root_and_its_volume_belongs_to_its_user() -> None:
    milvus, volume = services()["milvus"], services()["milvus-volume"]
    assert milvus["user"] == "65532:0"
    assert volume["entrypoint"] == ["chown", milvus["user"], "/var/lib/milvus"]
    assert volume["cap_add"] == ["CHOWN"]
    assert volume["network_mode"] == "none"
    assert milvus["depends_on"]["milvus-volume"]["condition"] == "service_completed_successfully"
    assert (
        [mount["target"] for mount in milvus["volumes"]]
        == ["/var/lib/milvus"]
        == [mount["target"] for mount in volume["volumes"]]
    )


def test_all_that_milvus_stores_is_on_its_volume() -> None:
    milvus = services()["milvus"]
    assert milvus["environment"]["ETCD_DATA_DIR"].startswith(milvus["volumes"][0]["target"])
    assert milvus["environment"]["COMMON_STORAGETYPE"] == "local"
    assert milvus["environment"]["MQ_TYPE"] == "rocksmq"


def test_only_the_replicas_reach_milvus() -> None:
    in_network = {name for name, service in services().items() if "search" in service.get("networks", {})}
    assert in_network == {*REPLICAS, "milvus"}
    assert list(services()["milvus"]["networks"]) == ["search"]
    assert config()["networks"]["search"]["internal"] is True


def test_only_milvus_reaches_its_etcd() -> None:
    milvus = services()["milvus"]
    (mounted,) = milvus["configs"]
    assert mounted["target"] == milvus["environment"]["ETCD_CONFIG_PATH"]
    file = Path(config()["configs"][mounted["source"]]["file"])
    assert file == ROOT / "docker" / "milvus" / "etcd.yaml"
    etcd = yaml.safe_load(file.read_text("utf-8"))
    assert all("//127.0.0.1:" in value for key, value in etcd.items() if key.endswith("-urls"))


def test_the_guide_starts_it_with_all_three_files() -> None:
    assert f"COMPOSE_FILE=docker-compose.yml:{SCALE}:{MILVUS}" in GUIDE
    for variable in re.findall(r"\$\{(\w+):-", (ROOT / MILVUS).read_text("utf-8")):
        assert f"| `{variable}` |" in GUIDE or variable == "KEYS" or variable.endswith("_IMAGE"), variable
