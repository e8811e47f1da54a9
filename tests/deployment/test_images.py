"""The Dockerfiles and docker-compose.yml follow the rules of hadolint, and agree with each other and with the code."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.commands.zoo import DEFAULT_MODELS
from service.settings.environment import PREFIX, Settings, list_variables
from tests.containers.engine import HARDENING_OPTIONS
from tests.deployment.manifests import (
    ROOT,
    Manifest,
    dockerfile_instructions,
    image_values,
    instruction_value,
    manifests_of_kind,
    parse_bytes,
)

HADOLINT, COMPOSE = (Path(sys.executable).with_name(name) for name in ("hadolint", "docker-compose"))
DOCKERFILES = [("service", "cpu"), ("service", "gpu"), ("training", "")]
PROFILES = ["", "monitoring", "train"]
KEYS = "docker/compose.keys.yml"
SETTINGS = {variable.name for variable in list_variables()}
each_image = pytest.mark.parametrize(("dockerfile", "target"), DOCKERFILES)


@cache
def compose_config(*files: str, profile: str = "", **variables: str) -> Manifest:
    """Return the configuration as docker compose reads it. variables: the environment of an operator."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
    command = [
        str(COMPOSE),
        "--env-file=/dev/null",
        *(f"--file={file}" for file in files),
        f"--profile={profile}",
        "config",
    ]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    config: Manifest = yaml.safe_load(result.stdout)
    return config


def compose_services(profile: str = "", *overrides: str, **variables: str) -> dict[str, Any]:
    """Return the services of docker-compose.yml, by name."""
    config = compose_config("docker-compose.yml", *overrides, profile=profile, **variables)
    services: dict[str, Any] = config["services"]
    return services


@pytest.mark.parametrize("name", ["service", "training"])
def test_hadolint_finds_nothing_in_a_dockerfile(name: str) -> None:
    file = ROOT / "docker" / f"{name}.Dockerfile"
    result = subprocess.run([HADOLINT, file], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout
    assert "hadolint" not in file.read_text("utf-8"), "no rule may be switched off"


@each_image
def test_an_image_runs_as_an_unprivileged_user_on_the_base_image_of_the_makefile(dockerfile: str, target: str) -> None:
    assert instruction_value(dockerfile, target, "USER") == "65532:65532"
    text = (ROOT / "docker" / f"{dockerfile}.Dockerfile").read_text("utf-8")
    (base,) = [line.removeprefix("ARG BASE=") for line in text.splitlines() if line.startswith("ARG BASE=")]
    assert base in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_the_variables_of_the_service_are_settings_and_no_volume_hides_its_models(target: str) -> None:
    variables = {key: value for key, value in image_values("service", target, "ENV").items() if key.startswith(PREFIX)}
    assert variables.keys() <= SETTINGS
    assert "FACE_INSECURE" not in variables, "only the operator can say that something else checks who calls"
    assert (
        variables["FACE_PORT"]
        == str(Settings.model_fields["port"].default)
        == instruction_value("service", target, "EXPOSE")
    )
    mounts = [volume["target"] for volume in compose_services()["face"]["volumes"]]
    assert variables["FACE_DATA_DIR"] in mounts
    assert not any(Path(variables["FACE_MODELS__DIR"]).is_relative_to(mount) for mount in mounts)
    (health_check,) = [line for line in dockerfile_instructions("service", target) if line.startswith("HEALTHCHECK")]
    assert "/readyz" in health_check
    assert "FACE_PORT" in health_check
    assert '"python3", "-I"' in health_check, "the working directory can be written, so nothing may be imported from it"


def test_the_default_models_are_in_the_image() -> None:
    pull_lines = [line for line in dockerfile_instructions("service", "build") if "models pull" in line]
    assert len(pull_lines) == 1
    assert f"models pull {' '.join(DEFAULT_MODELS)} &&" in " ".join(pull_lines[0].split())
    assert f"docker/labels.py {' '.join(DEFAULT_MODELS)}" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("profile", PROFILES)
def test_every_container_is_hardened(profile: str) -> None:
    for name, container in compose_services(profile).items():
        assert container["read_only"] is True, name
        assert container["cap_drop"] == ["ALL"], name
        assert container["security_opt"] == ["no-new-privileges:true"], name
        assert container["user"].partition(":")[0] != "0", name
        assert all(port["host_ip"] == "127.0.0.1" for port in container.get("ports", [])), name


def test_a_profile_does_not_change_the_service() -> None:
    assert compose_services().keys() == {"face"}
    assert all(compose_services(profile)["face"] == compose_services()["face"] for profile in PROFILES)


@each_image
def test_every_mount_point_is_created_by_the_image_and_belongs_to_its_user(dockerfile: str, target: str) -> None:
    (mkdir_line,) = [line for line in dockerfile_instructions(dockerfile, target) if "mkdir" in line]
    for container in compose_services("train").values():
        if container["build"]["dockerfile"].endswith(f"{dockerfile}.Dockerfile"):
            mount_points = [mount["target"] for mount in container["volumes"] if mount["type"] == "volume"]
            assert all(
                f" {mount_point}" in mkdir_line.partition("chown 65532:65532")[2] for mount_point in mount_points
            )


def test_the_gpu_override_changes_only_the_image_and_the_resources() -> None:
    cpu, gpu = compose_services()["face"], compose_services("", "docker/compose.gpu.yml")["face"]
    changed = {key for key in cpu.keys() | gpu.keys() if cpu.get(key) != gpu.get(key)}
    assert changed == {"image", "build", "mem_limit", "cpus", "deploy"}
    assert gpu["build"]["target"] == gpu["image"].rpartition(":")[2] == "gpu"
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


@pytest.mark.parametrize("overrides", [(), ("docker/compose.gpu.yml",)])
def test_without_keys_no_variable_opens_the_port_to_other_machines(overrides: tuple[str, ...]) -> None:
    variables = {"PUBLISH": "0.0.0.0:8000", "HOST": "0.0.0.0", "FACE_HOST": "0.0.0.0", "PORT": "8080"}  # noqa: S104
    face = compose_services("", *overrides, **variables)["face"]
    assert [(port["host_ip"], port["published"]) for port in face["ports"]] == [("127.0.0.1", "8080")]
    assert face["environment"]["FACE_INSECURE"] == "yes"


@pytest.mark.parametrize("overrides", [(KEYS,), ("docker/compose.gpu.yml", KEYS)])
def test_the_override_that_opens_the_port_always_demands_keys(overrides: tuple[str, ...]) -> None:
    config = compose_config("docker-compose.yml", *overrides, FACE_INSECURE="yes", FACE_ADMIN_KEY_FILE="")
    face = config["services"]["face"]
    assert [(port["host_ip"], port["published"]) for port in face["ports"]] == [("0.0.0.0", "8000")]  # noqa: S104
    assert face["environment"]["FACE_INSECURE"] == "no"
    (secret,) = face["secrets"]
    assert face["environment"]["FACE_ADMIN_KEY_FILE"] == secret["target"]
    assert config["secrets"][secret["source"]]["file"] == str(ROOT / "var" / "keys" / "admin_key")


def test_the_override_with_keys_changes_nothing_else() -> None:
    without, with_keys = compose_services("monitoring"), compose_services("monitoring", KEYS)
    assert [name for name in with_keys if with_keys[name] != without[name]] == ["face"]
    changed = {key for key, value in with_keys["face"].items() if without["face"].get(key) != value}
    assert changed == {"ports", "environment", "secrets"}
    assert with_keys.keys() == without.keys()


def test_compose_and_kubernetes_give_the_service_the_same_memory() -> None:
    for name, overrides in (("overlays/cpu", ()), ("overlays/gpu", ("docker/compose.gpu.yml",))):
        (pod,) = manifests_of_kind(name, "StatefulSet")
        (container,) = pod["spec"]["template"]["spec"]["containers"]
        limit = container["resources"]["limits"]["memory"]
        assert int(compose_services("", *overrides)["face"]["mem_limit"]) == parse_bytes(limit)


def test_the_grace_period_is_longer_than_the_drain_delay_and_the_request_timeout() -> None:
    grace_period = compose_services()["face"]["stop_grace_period"]
    assert int(grace_period.removesuffix("s")) > Settings().drain_delay_s + Settings().limits.request_timeout_s


def test_prometheus_scrapes_the_service_by_its_name_and_port() -> None:
    config = yaml.safe_load((ROOT / "docker" / "monitoring" / "prometheus.yml").read_text("utf-8"))
    (job,) = config["scrape_configs"]
    ((target,),) = [static_config["targets"] for static_config in job["static_configs"]]
    assert target == f"face:{instruction_value('service', 'cpu', 'EXPOSE')}"
    assert "face" in compose_services("monitoring")
    (secret,) = compose_services("monitoring")["prometheus"]["secrets"]
    assert job["authorization"] == {"credentials_file": secret["target"]}
    assert "face" in compose_services()["face"]["environment"]["FACE_ALLOWED_HOSTS"].split(",")


def test_the_containers_of_the_tests_are_hardened_as_in_compose() -> None:
    assert "--read-only" in HARDENING_OPTIONS
    assert compose_services()["face"]["user"] in HARDENING_OPTIONS
    assert HARDENING_OPTIONS[3:5] == ("--cap-drop", "ALL")
