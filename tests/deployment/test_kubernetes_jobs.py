"""Training in Kubernetes: its commands are those of facenet-models, its nodes meet, a GPU is where it asks for one."""

import pytest
import typer

from models.__main__ import app as models_app
from models.training.recipes import RECIPES
from tests.deployment.rendered import (
    RENDERINGS,
    Document,
    containers,
    kubectl_needed,
    mounts,
    of_kind,
    pods,
    the,
    variables_of,
)

pytestmark = kubectl_needed
GPU = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
AKS = {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}

every_training = pytest.mark.parametrize("name", ["jobs", "jobs/several-nodes"])
on_a_gpu = pytest.mark.parametrize(
    "name", [name for name in RENDERINGS if name.split(" + ")[0] in {"overlays/gpu", "jobs", "jobs/several-nodes"}]
)


def claims(pod: Document) -> dict[str, Document]:
    return {
        one["name"]: one["persistentVolumeClaim"] for one in pod["spec"]["volumes"] if "persistentVolumeClaim" in one
    }


@on_a_gpu
def test_a_gpu_is_asked_for_where_there_is_one(name: str) -> None:
    (pod,) = pods(name)
    assert containers(pod)[0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert pod["spec"]["tolerations"] == ([GPU, AKS] if "pools/aks" in name else [GPU])
    assert len(pod["spec"].get("nodeSelector", {})) == ("pools/" in name)
    assert pod["spec"].get("runtimeClassName") == ("nvidia" if "runtime-class" in name else None)


@on_a_gpu
def test_serving_goes_before_training(name: str) -> None:
    (pod,) = pods(name)
    classes = {one["metadata"]["name"]: one["value"] for one in of_kind(name, "PriorityClass")}
    assert classes.get(pod["spec"].get("priorityClassName"), 0) == (1000 if name.startswith("overlays/") else 0)


@pytest.mark.parametrize("name", [name for name in RENDERINGS if "trained-model" in name])
def test_the_service_mounts_the_models_that_training_leaves(name: str) -> None:
    (service,), (training,) = pods(name), pods("jobs")
    assert claims(service) == {"models": claims(training)["models"] | {"readOnly": True}}
    assert mounts(service, "persistentVolumeClaim") == {"/models"} <= mounts(training, "persistentVolumeClaim")


@every_training
def test_a_disruption_is_no_failure_and_the_run_is_on_a_claim(name: str) -> None:
    spec = the(name, "Job")["spec"]
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert {"/faces", "/runs"} <= mounts(spec["template"], "persistentVolumeClaim")


def filled_in(name: str, container: Document) -> list[str]:
    """A container's arguments, as the kubelet passes them on."""
    values = variables_of(name, container) | {"JOB_COMPLETION_INDEX": "1"}
    arguments: list[str] = container["args"]
    for key, value in values.items():
        arguments = [one.replace(f"$({key})", value) for one in arguments]
    return arguments


def commands(name: str) -> list[list[str]]:
    """What facenet-models is told by each container that runs it, by itself or under torchrun."""
    (pod,) = pods(name)
    told = [filled_in(name, one) for one in containers(pod) if one.get("command", ["torchrun"]) == ["torchrun"]]
    return [one[one.index("models") + 1 :] if "models" in one else one for one in told]


@every_training
def test_facenet_models_takes_the_arguments(name: str) -> None:
    known = typer.main.get_command(models_app).commands  # type: ignore[attr-defined]  # it is a group of them
    for subcommand, *arguments in commands(name):
        parameters = known[subcommand].params
        options = {one.partition("=")[0] for one in arguments if one.startswith("--")}
        places = [one for one in arguments if not one.startswith("--")]
        assert options <= {option for one in parameters for option in one.opts}
        assert len(places) == sum(one.param_type_name == "argument" for one in parameters)
        assert "$(" not in "".join(arguments)


@every_training
def test_a_run_begins_with_nothing_and_its_checkpoint_is_exported(name: str) -> None:
    train, *others = commands(name)
    assert RECIPES[train[1]].begins_with is None
    assert f"--out=/runs/{train[1]}" in train
    assert [one[1] for one in others] == [f"/runs/{train[1]}/checkpoint.pt"] * len(others)


def test_the_nodes_of_a_training_meet_at_the_first() -> None:
    run = pytest.importorskip("torch.distributed.run")
    job, service = the("jobs/several-nodes", "Job"), the("jobs/several-nodes", "Service")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    asked = run.get_args_parser().parse_args(filled_in("jobs/several-nodes", container))
    assert (asked.module, asked.training_script, asked.node_rank) == (True, "models", 1)
    assert asked.master_addr == f"{job['metadata']['name']}-0.{service['metadata']['name']}"
    assert asked.master_port == service["spec"]["ports"][0]["port"] == container["ports"][0]["containerPort"]
    assert job["spec"]["template"]["spec"]["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None"


def test_every_node_has_its_share_of_a_training() -> None:
    spec = the("jobs/several-nodes", "Job")["spec"]
    nodes = [one for one in spec["template"]["spec"]["containers"][0]["args"] if one.startswith("--nnodes=")]
    assert spec["completionMode"] == "Indexed"
    assert nodes == [f"--nnodes={spec['completions']}"] == [f"--nnodes={spec['parallelism']}"]
    (train,) = commands("jobs/several-nodes")
    assert RECIPES[train[1]].batch % spec["completions"] == 0
