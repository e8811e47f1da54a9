"""Training in Kubernetes: its commands are valid for facenet-models, its nodes find each other, and it gets a GPU."""

import pytest
import typer

from models.commands.app import app as models_app
from models.training.recipes.recipes import RECIPES
from tests.deployment.manifests import (
    RENDERINGS,
    Manifest,
    config_map_variables,
    containers_of,
    kubectl_needed,
    manifests_of_kind,
    mount_paths,
    only_manifest,
    pods_of,
)

pytestmark = kubectl_needed
GPU = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
AKS = {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}

every_training = pytest.mark.parametrize("name", ["jobs", "jobs/several-nodes"])
on_a_gpu = pytest.mark.parametrize(
    "name", [name for name in RENDERINGS if name.split(" + ")[0] in {"overlays/gpu", "jobs", "jobs/several-nodes"}]
)


def claims_by_volume(pod: Manifest) -> dict[str, Manifest]:
    return {
        volume["name"]: volume["persistentVolumeClaim"]
        for volume in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }


@on_a_gpu
def test_a_gpu_and_its_tolerations_are_requested(name: str) -> None:
    (pod,) = pods_of(name)
    assert containers_of(pod)[0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert pod["spec"]["tolerations"] == ([GPU, AKS] if "pools/aks" in name else [GPU])
    assert len(pod["spec"].get("nodeSelector", {})) == ("pools/" in name)
    assert pod["spec"].get("runtimeClassName") == ("nvidia" if "runtime-class" in name else None)


@on_a_gpu
def test_serving_has_a_higher_priority_than_training(name: str) -> None:
    (pod,) = pods_of(name)
    priorities = {
        priority_class["metadata"]["name"]: priority_class["value"]
        for priority_class in manifests_of_kind(name, "PriorityClass")
    }
    assert priorities.get(pod["spec"].get("priorityClassName"), 0) == (1000 if name.startswith("overlays/") else 0)


@pytest.mark.parametrize("name", [name for name in RENDERINGS if "trained-model" in name])
def test_the_service_mounts_the_models_of_the_training(name: str) -> None:
    (service,), (training,) = pods_of(name), pods_of("jobs")
    assert claims_by_volume(service) == {"models": claims_by_volume(training)["models"] | {"readOnly": True}}
    assert (
        mount_paths(service, "persistentVolumeClaim") == {"/models"} <= mount_paths(training, "persistentVolumeClaim")
    )


@every_training
def test_a_disruption_does_not_count_as_a_failure_and_the_run_is_on_a_claim(name: str) -> None:
    spec = only_manifest(name, "Job")["spec"]
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert {"/faces", "/runs"} <= mount_paths(spec["template"], "persistentVolumeClaim")


def container_arguments(name: str, container: Manifest) -> list[str]:
    """Return the arguments of a container with the values of its variables, as the kubelet passes them."""
    values = config_map_variables(name, container) | {"JOB_COMPLETION_INDEX": "1"}
    arguments: list[str] = container["args"]
    for key, value in values.items():
        arguments = [argument.replace(f"$({key})", value) for argument in arguments]
    return arguments


def facenet_models_arguments(name: str) -> list[list[str]]:
    """Return the arguments of facenet-models of each container that runs it, directly or with torchrun."""
    (pod,) = pods_of(name)
    command_lines = [
        container_arguments(name, container)
        for container in containers_of(pod)
        if container.get("command", ["torchrun"]) == ["torchrun"]
    ]
    return [
        arguments[arguments.index("models") + 1 :] if "models" in arguments else arguments
        for arguments in command_lines
    ]


@every_training
def test_facenet_models_accepts_the_arguments(name: str) -> None:
    subcommands = typer.main.get_command(models_app).commands  # type: ignore[attr-defined]  # the command is a group
    for subcommand, *arguments in facenet_models_arguments(name):
        parameters = subcommands[subcommand].params
        options = {argument.partition("=")[0] for argument in arguments if argument.startswith("--")}
        positional = [argument for argument in arguments if not argument.startswith("--")]
        assert options <= {option for parameter in parameters for option in parameter.opts}
        assert len(positional) == sum(parameter.param_type_name == "argument" for parameter in parameters)
        assert "$(" not in "".join(arguments)


@every_training
def test_a_run_does_not_start_from_another_model_and_its_checkpoint_is_exported(name: str) -> None:
    train, *exports = facenet_models_arguments(name)
    assert RECIPES[train[1]].begins_with is None
    assert f"--out=/runs/{train[1]}" in train
    assert [export[1] for export in exports] == [f"/runs/{train[1]}/checkpoint.pt"] * len(exports)


def test_the_nodes_of_a_training_connect_to_the_first_node() -> None:
    torchrun = pytest.importorskip("torch.distributed.run")
    job, service = only_manifest("jobs/several-nodes", "Job"), only_manifest("jobs/several-nodes", "Service")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    options = torchrun.get_args_parser().parse_args(container_arguments("jobs/several-nodes", container))
    assert (options.module, options.training_script, options.node_rank) == (True, "models", 1)
    assert options.master_addr == f"{job['metadata']['name']}-0.{service['metadata']['name']}"
    assert options.master_port == service["spec"]["ports"][0]["port"] == container["ports"][0]["containerPort"]
    assert job["spec"]["template"]["spec"]["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None"


def test_every_node_gets_an_equal_share_of_a_batch() -> None:
    spec = only_manifest("jobs/several-nodes", "Job")["spec"]
    node_arguments = [
        argument for argument in spec["template"]["spec"]["containers"][0]["args"] if argument.startswith("--nnodes=")
    ]
    assert spec["completionMode"] == "Indexed"
    assert node_arguments == [f"--nnodes={spec['completions']}"] == [f"--nnodes={spec['parallelism']}"]
    (train,) = facenet_models_arguments("jobs/several-nodes")
    assert RECIPES[train[1]].batch_size % spec["completions"] == 0
