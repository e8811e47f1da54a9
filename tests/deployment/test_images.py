"""Dockerfiles and docker-compose.yml: well written, of one mind with each other and with the code."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.__main__ import DEFAULT_MODELS
from service.settings import PREFIX, Settings, variables
from tests.containers.engine import CLOSED
from tests.deployment.rendered import ROOT, Document, image, in_bytes, instructions, of_kind, said

HADOLINT, COMPOSE = (Path(sys.executable).with_name(name) for name in ("hadolint", "docker-compose"))
DOCKERFILES = [("service", "cpu"), ("service", "gpu"), ("training", "")]
PROFILES = ["", "monitoring", "train"]
SETTINGS = {one.name for one in variables()}
each_image = pytest.mark.parametrize(("dockerfile", "target"), DOCKERFILES)


@cache
def composed(*files: str, profile: str = "") -> Document:
    """As docker compose reads it."""
    own = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    command = [
        str(COMPOSE),
        "--env-file=/dev/null",
        *(f"--file={one}" for one in files),
        f"--profile={profile}",
        "config",
    ]
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    read: Document = yaml.safe_load(done.stdout)
    return read


def services(profile: str = "", *overrides: str) -> dict[str, Any]:
    """By name."""
    found: dict[str, Any] = composed("docker-compose.yml", *overrides, profile=profile)["services"]
    return found


@pytest.mark.parametrize("name", ["service", "training"])
def test_a_dockerfile_is_well_written(name: str) -> None:
    file = ROOT / "docker" / f"{name}.Dockerfile"
    done = subprocess.run([HADOLINT, file], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert "hadolint" not in file.read_text("utf-8"), "nothing is exempted"


@each_image
def test_an_image_runs_as_nobody_from_the_base_that_is_given(dockerfile: str, target: str) -> None:
    assert said(dockerfile, target, "USER") == "65532:65532"
    text = (ROOT / "docker" / f"{dockerfile}.Dockerfile").read_text("utf-8")
    (given,) = [line.removeprefix("ARG BASE=") for line in text.splitlines() if line.startswith("ARG BASE=")]
    assert given in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_the_services_variables_are_settings_and_its_models_are_under_no_mount_point(target: str) -> None:
    own = {key: value for key, value in image("service", target, "ENV").items() if key.startswith(PREFIX)}
    assert own.keys() <= SETTINGS
    assert own["FACE_PORT"] == str(Settings.model_fields["port"].default) == said("service", target, "EXPOSE")
    mounts = [one["target"] for one in services()["face"]["volumes"]]
    assert own["FACE_DATA_DIR"] in mounts
    assert not any(Path(own["FACE_MODELS__DIR"]).is_relative_to(one) for one in mounts)
    (health,) = [one for one in instructions("service", target) if one.startswith("HEALTHCHECK")]
    assert "/readyz" in health
    assert "FACE_PORT" in health


def test_the_default_models_are_in_the_image() -> None:
    pulled = [one for one in instructions("service", "made") if "models pull" in one]
    assert len(pulled) == 1
    assert f"models pull {' '.join(DEFAULT_MODELS)} &&" in " ".join(pulled[0].split())
    assert f"docker/labels.py {' '.join(DEFAULT_MODELS)}" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("profile", PROFILES)
def test_every_container_is_closed(profile: str) -> None:
    for name, one in services(profile).items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one["user"].partition(":")[0] != "0", name
        assert all(port["host_ip"] == "127.0.0.1" for port in one.get("ports", [])), name


def test_a_profile_adds_to_the_service_and_changes_nothing_of_it() -> None:
    assert services().keys() == {"face"}
    assert all(services(profile)["face"] == services()["face"] for profile in PROFILES)


@each_image
def test_what_is_mounted_is_made_by_the_image_and_belongs_to_its_user(dockerfile: str, target: str) -> None:
    (made,) = [one for one in instructions(dockerfile, target) if "mkdir" in one]
    for one in services("train").values():
        if one["build"]["dockerfile"].endswith(f"{dockerfile}.Dockerfile"):
            named = [mount["target"] for mount in one["volumes"] if mount["type"] == "volume"]
            assert all(f" {place}" in made.partition("chown 65532:65532")[2] for place in named)


def test_the_gpu_is_an_override_of_the_same_service() -> None:
    cpu, gpu = services()["face"], services("", "docker/compose.gpu.yml")["face"]
    changed = {key for key in cpu.keys() | gpu.keys() if cpu.get(key) != gpu.get(key)}
    assert changed == {"image", "build", "mem_limit", "cpus", "deploy"}
    assert gpu["build"]["target"] == gpu["image"].rpartition(":")[2] == "gpu"
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


def test_compose_and_kubernetes_give_the_service_the_same_memory() -> None:
    for name, overrides in (("overlays/cpu", ()), ("overlays/gpu", ("docker/compose.gpu.yml",))):
        (pod,) = of_kind(name, "StatefulSet")
        (container,) = pod["spec"]["template"]["spec"]["containers"]
        limit = container["resources"]["limits"]["memory"]
        assert int(services("", *overrides)["face"]["mem_limit"]) == in_bytes(limit)


def test_a_stop_waits_for_the_longest_request() -> None:
    grace = services()["face"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > Settings().drain_delay_s + Settings().limits.request_timeout_s


def test_prometheus_asks_the_service_by_its_name_and_port() -> None:
    config = yaml.safe_load((ROOT / "docker" / "monitoring" / "prometheus.yml").read_text("utf-8"))
    (job,) = config["scrape_configs"]
    ((target,),) = [one["targets"] for one in job["static_configs"]]
    assert target == f"face:{said('service', 'cpu', 'EXPOSE')}"
    assert "face" in services("monitoring")


def test_the_containers_of_the_tests_are_closed_as_those_of_compose() -> None:
    assert "--read-only" in CLOSED
    assert services()["face"]["user"] in CLOSED
    assert CLOSED[3:5] == ("--cap-drop", "ALL")
