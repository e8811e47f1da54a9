"""docker/compose.scale.yml: two equal replicas, a database, and a proxy that loses no request when one is replaced."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.app import describe_app
from service.gallery.records.postgresql.connections import CONNECTIONS, server_url
from service.settings.environment import PREFIX, Settings, load_settings
from tests.deployment.manifests import ROOT, Manifest, image_values
from tests.deployment.test_images import SETTINGS, compose_config, compose_services

SCALE = "docker/compose.scale.yml"
REPLICAS = ("face", "face-2")
PROXY = ROOT / "docker" / "proxy"
STATIC: dict[str, Any] = yaml.safe_load((PROXY / "traefik.yml").read_text("utf-8"))
ROUTES: dict[str, Any] = yaml.safe_load((PROXY / "routes.yml").read_text("utf-8"))["http"]
GUIDE = (ROOT / "docs" / "replicas.md").read_text("utf-8")
MAX_CONNECTIONS = 100
"""The default of PostgreSQL."""
each_replica = pytest.mark.parametrize("replica", REPLICAS)


def services(profile: str = "") -> dict[str, Any]:
    return compose_services(profile, SCALE)


def seconds(duration: str) -> float:
    """Convert a duration of compose or Traefik, such as 1m30s."""
    numbers = {unit: float(number) for number, unit in re.findall(r"([\d.]+)(m|s)", duration)}
    return timedelta(minutes=numbers.get("m", 0), seconds=numbers.get("s", 0)).total_seconds()


def settings_of(replica: str, patch: pytest.MonkeyPatch) -> Settings:
    """Load the settings of a replica as its container does. The service refuses unknown settings."""
    variables = image_values("service", "cpu", "ENV") | services()[replica]["environment"]
    for name, value in variables.items():
        if name.startswith(PREFIX):
            patch.setenv(name, value)
    return load_settings()


def secret_files(service: Manifest, *overrides: str) -> dict[str, str]:
    """Return the files on the host of the secrets of a service, by their paths in its container."""
    secrets = compose_config("docker-compose.yml", SCALE, *overrides)["secrets"]
    return {secret["target"]: Path(secrets[secret["source"]]["file"]).name for secret in service["secrets"]}


def test_the_services_are_two_replicas_a_database_and_a_proxy() -> None:
    assert services().keys() == {*REPLICAS, "postgres", "proxy"}


def test_the_replicas_differ_only_in_the_volume_of_their_audit_log() -> None:
    one, two = (services()[replica] for replica in REPLICAS)
    assert {key for key in one.keys() | two.keys() if one.get(key) != two.get(key)} == {"volumes"}
    assert [{volume["target"]: volume["source"] for volume in replica["volumes"]} for replica in (one, two)] == [
        {"/data": "data", "/models": "models"},
        {"/data": "data-2", "/models": "models"},
    ]


@each_replica
def test_a_replica_is_the_service_but_for_its_database_keys_and_networks(replica: str) -> None:
    alone, scaled = compose_services()["face"], services()[replica]
    changed = {key for key in alone.keys() | scaled.keys() if alone.get(key) != scaled.get(key)} - {"volumes"}
    assert changed == {"ports", "environment", "secrets", "networks", "depends_on", "stop_grace_period"}
    assert "ports" not in scaled, "only the proxy can be reached from outside"
    variables = {name for name in scaled["environment"] if name.startswith(PREFIX)}
    assert variables <= SETTINGS


@each_replica
def test_the_replicas_search_in_the_database_and_share_their_secrets(
    replica: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, service = settings_of(replica, monkeypatch), services()[replica]
    assert settings.gallery.index == "faiss"
    assert settings.insecure == "no"
    files = secret_files(service)
    for file in (settings.admin_key_file, settings.key_secret_file, settings.audit.secret_file):
        assert str(file) in files
    assert settings.data_dir == Path("/data")


@each_replica
def test_the_database_of_the_settings_is_the_service_postgres(replica: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = settings_of(replica, monkeypatch).gallery.url
    assert url is not None
    place, postgres = server_url(url.get_secret_value()), services()["postgres"]
    assert place.host in services()
    assert (place.username, place.database) == (
        postgres["environment"]["POSTGRES_USER"],
        postgres["environment"]["POSTGRES_DB"],
    )
    assert len(REPLICAS) * CONNECTIONS < MAX_CONNECTIONS


def test_the_password_is_in_files_only() -> None:
    face, postgres = services()["face"], services()["postgres"]
    assert "password" not in str([service.get("environment") for service in services().values()]).lower().replace(
        "postgres_password_file': '/run/secrets/database_password", ""
    )
    assert secret_files(postgres)[postgres["environment"]["POSTGRES_PASSWORD_FILE"]] == "database_password"
    assert secret_files(face)[face["environment"]["PGSERVICEFILE"]] == "pg_service.conf"
    assert f"printf '[{face['environment']['PGSERVICE']}]\\npassword=%s\\n'" in GUIDE


def test_the_guide_makes_every_secret() -> None:
    files = {file for service in services().values() if "secrets" in service for file in secret_files(service).values()}
    assert files == {"admin_key", "key_secret", "audit_secret", "database_password", "pg_service.conf"}
    for file in files - {"admin_key"}:
        assert f"> var/keys/{file}\n" in GUIDE
    assert "keys generate /keys/admin_key" in GUIDE


def test_every_container_is_hardened_and_listens_on_this_machine_only() -> None:
    for name, container in services("monitoring").items():
        assert container["read_only"] is True, name
        assert container["cap_drop"] == ["ALL"], name
        assert container["security_opt"] == ["no-new-privileges:true"], name
        assert container["user"].partition(":")[0] != "0", name
        assert all(port["host_ip"] == "127.0.0.1" for port in container.get("ports", [])), name
        assert re.search(r":v?\d+\.\d+|:cpu$", container["image"]), name


def test_only_the_replicas_reach_the_database() -> None:
    config = compose_config("docker-compose.yml", SCALE, profile="monitoring")
    in_network = {name for name, service in config["services"].items() if "database" in service["networks"]}
    assert in_network == {*REPLICAS, "postgres"}
    assert list(config["services"]["postgres"]["networks"]) == ["database"]
    assert config["networks"]["database"]["internal"] is True


def test_the_service_believes_the_proxy_and_no_other_network() -> None:
    config = compose_config("docker-compose.yml", SCALE, SUBNET="10.9.8.0/24")
    (pool,) = config["networks"]["default"]["ipam"]["config"]
    assert pool["subnet"] == config["services"]["face"]["environment"]["FACE_TRUSTED_PROXIES"] == "10.9.8.0/24"


def test_the_proxy_calls_both_replicas_under_names_that_they_accept(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of("face", monkeypatch)
    (service,) = ROUTES["services"].values()
    urls = [server["url"] for server in service["loadBalancer"]["servers"]]
    assert urls == [f"http://{replica}:{settings.port}" for replica in REPLICAS]
    assert set(REPLICAS) <= set(settings.allowed_hosts)
    (port,) = services()["proxy"]["ports"]
    assert STATIC["entryPoints"]["web"]["address"] == f":{port['target']}"
    (mount,) = services()["proxy"]["volumes"]
    assert STATIC["providers"]["file"]["filename"] == f"{mount['target']}/routes.yml"


def test_the_proxy_passes_on_every_path_except_keys_backups_and_metrics() -> None:
    (router,) = ROUTES["routers"].values()
    (hidden,) = re.findall(r"!PathRegexp\(`(.*)`\)", router["rule"])
    paths = describe_app(Settings()).openapi()["paths"]
    assert {path.split("/")[1] for path in paths if re.search(hidden, path)} == {"backup", "keys", "metrics"}
    assert not re.search(hidden, "/keysmith")


def test_the_proxy_notices_a_replica_that_stops_before_it_refuses_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of("face", monkeypatch)
    (service,) = ROUTES["services"].values()
    check = service["loadBalancer"]["healthCheck"]
    assert check["path"] in describe_app(Settings()).openapi()["paths"]
    assert seconds(check["interval"]) + seconds(check["timeout"]) < settings.drain_delay_s


def test_the_proxy_closes_idle_connections_before_a_replica_does(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of("face", monkeypatch)
    (service,) = ROUTES["services"].values()
    timeouts = ROUTES["serversTransports"][service["loadBalancer"]["serversTransport"]]["forwardingTimeouts"]
    assert seconds(timeouts["idleConnTimeout"]) < min(settings.drain_delay_s, settings.keep_alive_s)


def test_a_stop_waits_for_the_requests_that_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of("face", monkeypatch)
    longest_s = settings.drain_delay_s + settings.limits.request_timeout_s
    for replica in REPLICAS:
        assert seconds(services()[replica]["stop_grace_period"]) > longest_s
    grace_s = seconds(STATIC["entryPoints"]["web"]["transport"]["lifeCycle"]["graceTimeOut"])
    assert settings.limits.request_timeout_s < grace_s < seconds(services()["proxy"]["stop_grace_period"])


def test_prometheus_scrapes_the_second_replica_too() -> None:
    config = compose_config("docker-compose.yml", SCALE, profile="monitoring")
    (mounted,) = config["services"]["prometheus"]["configs"]
    prometheus = yaml.safe_load((ROOT / "docker" / "monitoring" / "prometheus.yml").read_text("utf-8"))
    (discovery,) = prometheus["scrape_configs"][0]["file_sd_configs"]
    (pattern,) = discovery["files"]
    assert Path(mounted["target"]).match(pattern)
    (targets,) = yaml.safe_load(Path(config["configs"][mounted["source"]]["file"]).read_text("utf-8"))
    assert targets == {"targets": ["face-2:8000"]}
