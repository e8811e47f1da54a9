"""The overlay of several replicas: no request is lost in a roll-out, and the replicas share what they must share."""

from typing import Any

import pytest
import yaml

from service.gallery.records.postgresql.connections import CONNECTIONS, server_url
from service.gallery.search.milvus.address import MilvusAddress
from tests.deployment.manifests import (
    K8S,
    SERVICE_RENDERINGS,
    Manifest,
    config_map_variables,
    kubectl_needed,
    load_deployed_settings,
    manifests_of_kind,
    only_manifest,
    parse_bytes,
    proxy_labels,
    render,
    render_kustomization,
    selects,
    service_container,
    service_workload,
)
from tests.deployment.test_compose_milvus import MILVUS
from tests.deployment.test_compose_scale import SCALE
from tests.deployment.test_images import compose_services
from tests.deployment.test_kubernetes import examples, mounted_secrets, shows_how_to_create
from tests.deployment.test_monitoring import metric_names, queried_metrics

pytestmark = [kubectl_needed, pytest.mark.slow]
RENDERINGS = [name for name in SERVICE_RENDERINGS if name.startswith("overlays/scale-out")]
RESERVED_CONNECTIONS = 3
"""Connections that PostgreSQL keeps for its superuser (superuser_reserved_connections)."""
every_rendering = pytest.mark.parametrize("name", RENDERINGS)
with_postgresql = pytest.mark.parametrize("name", [name for name in RENDERINGS if "postgresql" in name])
with_milvus = pytest.mark.parametrize("name", [name for name in RENDERINGS if "milvus" in name])
with_keda = pytest.mark.parametrize("name", [name for name in RENDERINGS if "keda" in name])


def milvus() -> Manifest:
    return only_manifest("milvus", "Milvus")


def pod_labels(name: str) -> Manifest:
    labels: Manifest = service_workload(name)["spec"]["template"]["metadata"]["labels"]
    return labels


@every_rendering
def test_a_deployment_replaces_the_stateful_set_and_its_service(name: str) -> None:
    deployment = only_manifest(name, "Deployment")
    assert not manifests_of_kind(name, "StatefulSet", "PersistentVolumeClaim")
    assert not {"serviceName", "volumeClaimTemplates", "podManagementPolicy"} & deployment["spec"].keys()
    (service,) = manifests_of_kind(name, "Service")
    assert service["spec"].get("clusterIP") != "None"


@every_rendering
def test_the_pod_is_that_of_one_process_but_for_its_volumes_and_its_spread(name: str) -> None:
    alone, scaled = (service_workload(one)["spec"]["template"]["spec"] for one in ("overlays/cpu", name))
    assert {key for key in alone.keys() | scaled.keys() if alone.get(key) != scaled.get(key)} == {
        "containers",
        "volumes",
        "topologySpreadConstraints",
    }
    before, after = service_container("overlays/cpu"), service_container(name)
    assert {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)} == {
        "envFrom",
        "volumeMounts",
    }


@every_rendering
def test_a_replica_works_as_one_process_alone_does(name: str) -> None:
    alone, scaled = load_deployed_settings("overlays/cpu"), load_deployed_settings(name)
    assert (alone.inference, alone.models, alone.limits) == (scaled.inference, scaled.models, scaled.limits)


@every_rendering
def test_all_replicas_have_the_same_database_index_and_secrets(name: str) -> None:
    settings = load_deployed_settings(name)
    assert settings.gallery.index == ("milvus" if "milvus" in name else "faiss")
    assert settings.gallery.url is not None
    assert server_url(settings.gallery.url.get_secret_value()).password is None
    assert settings.gallery.encryption_key_file is None, "Milvus cannot compare encrypted vectors"
    assert {str(settings.key_secret_file), str(settings.audit.secret_file)} <= mounted_secrets(name).keys()
    variables = config_map_variables(name, service_container(name))
    assert variables["PGSERVICEFILE"] in mounted_secrets(name)
    assert f"[{variables['PGSERVICE']}]\\npassword=" in (K8S / "README.md").read_text("utf-8")


@every_rendering
def test_a_pod_has_a_volume_of_its_own_for_its_audit_log(name: str) -> None:
    settings = load_deployed_settings(name)
    (mount,) = [mount for mount in service_container(name)["volumeMounts"] if mount["name"] == "data"]
    assert mount["mountPath"] == str(settings.data_dir)
    (volume,) = [
        volume for volume in service_workload(name)["spec"]["template"]["spec"]["volumes"] if volume["name"] == "data"
    ]
    assert 2 * settings.audit.max_bytes <= parse_bytes(volume["emptyDir"]["sizeLimit"])


@every_rendering
def test_in_a_roll_out_a_new_pod_is_ready_before_an_old_one_ends(name: str) -> None:
    spec = only_manifest(name, "Deployment")["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


@every_rendering
def test_a_drain_of_nodes_leaves_a_replica(name: str) -> None:
    budget = only_manifest(name, "PodDisruptionBudget")["spec"]
    assert selects(budget["selector"], pod_labels(name))
    assert budget["maxUnavailable"] == 1 < fewest_replicas(name)


def fewest_replicas(name: str) -> int:
    scaled: list[Any] = [scaled["spec"]["minReplicaCount"] for scaled in manifests_of_kind(name, "ScaledObject")]
    return int(scaled[0] if scaled else only_manifest(name, "Deployment")["spec"]["replicas"])


@every_rendering
def test_replicas_are_spread_over_nodes_and_zones(name: str) -> None:
    constraints = service_workload(name)["spec"]["template"]["spec"]["topologySpreadConstraints"]
    keys = {constraint["topologyKey"] for constraint in constraints}
    assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert all(selects(constraint["labelSelector"], pod_labels(name)) for constraint in constraints)


@every_rendering
def test_the_service_connects_to_its_database_to_dns_and_to_milvus_only(name: str) -> None:
    policies = [manifest["spec"] for manifest in manifests_of_kind(name, "NetworkPolicy")]
    of_service = [policy for policy in policies if selects(policy["podSelector"], pod_labels(name))]
    database, dns, *search = [rule for policy in of_service for rule in policy.get("egress", [])]
    assert len(search) == ("milvus" in name)
    url = load_deployed_settings(name).gallery.url
    assert url is not None
    place = server_url(url.get_secret_value())
    (peer,) = database["to"]
    assert f"{peer['podSelector']['matchLabels']['cnpg.io/cluster']}-rw" == place.host
    assert [port["port"] for port in database["ports"]] == [place.port]
    assert {port["port"] for port in dns["ports"]} == {53}


@with_postgresql
def test_the_database_is_the_one_of_the_settings(name: str) -> None:
    cluster = only_manifest(name, "Cluster")
    url = load_deployed_settings(name).gallery.url
    assert url is not None
    place = server_url(url.get_secret_value())
    initdb = cluster["spec"]["bootstrap"]["initdb"]
    assert f"{cluster['metadata']['name']}-rw" == place.host
    assert (initdb["owner"], initdb["database"]) == (place.username, place.database)
    assert initdb["postInitApplicationSQL"] == ["CREATE EXTENSION vector"]
    assert "-standard-" in cluster["spec"]["imageName"], "the other images have no pgvector"
    readme = (K8S / "README.md").read_text("utf-8")
    assert shows_how_to_create(initdb["secret"]["name"], "password")
    assert f"--from-literal=username={initdb['owner']}" in readme


@with_postgresql
def test_the_service_checks_the_certificate_of_the_database(name: str) -> None:
    variables = config_map_variables(name, service_container(name))
    assert variables["PGSSLMODE"] == "verify-full"
    secret = mounted_secrets(name)[variables["PGSSLROOTCERT"]]
    assert secret["secretName"] == f"{only_manifest(name, 'Cluster')['metadata']['name']}-ca"
    assert [item["key"] for item in secret["items"]] == ["ca.crt"], "its private key is not for the service"


@with_postgresql
def test_a_change_is_acknowledged_when_two_servers_have_it(name: str) -> None:
    spec = only_manifest(name, "Cluster")["spec"]
    assert spec["postgresql"]["synchronous"] == {"method": "any", "number": 1, "failoverQuorum": True}
    assert spec["instances"] == 3, "with two, nothing could be stored while one is replaced"


@with_postgresql
def test_only_the_service_the_servers_and_the_operator_connect_to_the_database(name: str) -> None:
    cluster = only_manifest(name, "Cluster")["metadata"]["name"]
    labels = {"cnpg.io/cluster": cluster}
    policies = [manifest["spec"] for manifest in manifests_of_kind(name, "NetworkPolicy")]
    (policy,) = [policy for policy in policies if selects(policy["podSelector"], labels)]
    service, own = policy["ingress"]
    (client,) = service["from"]
    assert selects(client["podSelector"], pod_labels(name))
    assert [port["port"] for port in service["ports"]] == [5432]
    assert [peer["podSelector"]["matchLabels"] for peer in own["from"]] == [
        labels,
        {"app.kubernetes.io/name": "cloudnative-pg"},
    ]


@pytest.mark.parametrize("name", [name for name in RENDERINGS if "postgresql" in name and "keda" in name])
def test_the_database_has_enough_connections_for_the_most_replicas(name: str) -> None:
    replicas = only_manifest(name, "ScaledObject")["spec"]["maxReplicaCount"]
    surge = only_manifest(name, "Deployment")["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
    parameters = only_manifest(name, "Cluster")["spec"]["postgresql"]["parameters"]
    assert (replicas + surge) * CONNECTIONS < int(parameters["max_connections"]) - RESERVED_CONNECTIONS


@with_milvus
def test_the_search_server_is_the_one_of_its_folder(name: str) -> None:
    gallery, server = load_deployed_settings(name).gallery, milvus()["metadata"]
    assert gallery.milvus_uri is not None
    address = MilvusAddress(gallery.milvus_uri.get_secret_value())
    assert str(address) == f"{server['name']}-milvus.{server['namespace']}.svc:19530"
    assert str(gallery.milvus_token_file) in mounted_secrets(name)


@with_milvus
def test_the_service_and_the_proxies_of_milvus_let_each_other_through(name: str) -> None:
    (outgoing,) = [
        one for one in manifests_of_kind(name, "NetworkPolicy") if one["metadata"]["name"] == "facenet-search"
    ]
    ((server,),) = [rule["to"] for rule in outgoing["spec"]["egress"]]
    assert server["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": milvus()["metadata"]["namespace"]
    }
    assert server["podSelector"]["matchLabels"] == proxy_labels(milvus())
    incoming = manifests_of_kind("milvus", "NetworkPolicy")[1]["spec"]
    ((client,),) = [rule["from"] for rule in incoming["ingress"]]
    assert selects(incoming["podSelector"], proxy_labels(milvus()))
    assert client["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "facenet"}
    assert selects(client["podSelector"], pod_labels(name))
    assert outgoing["spec"]["egress"][0]["ports"] == incoming["ingress"][0]["ports"] == [{"port": 19530}]


def test_of_other_namespaces_only_the_operator_and_the_service_reach_milvus() -> None:
    everybody, proxies = [manifest["spec"] for manifest in manifests_of_kind("milvus", "NetworkPolicy")]
    assert everybody["podSelector"] == {}
    (rule,) = everybody["ingress"]
    operator = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "milvus-operator"}}}
    assert rule["from"] == [{"podSelector": {}}, operator]
    assert len(proxies["ingress"]) == 1


def test_milvus_and_its_storage_have_passwords_of_secrets_that_the_readme_makes() -> None:
    spec = milvus()["spec"]
    assert spec["config"]["common"]["security"] == {"authorizationEnabled": True}
    (variable,) = spec["components"]["env"]
    assert variable["name"] == "COMMON_SECURITY_DEFAULTROOTPASSWORD"
    secret = variable["valueFrom"]["secretKeyRef"]
    assert shows_how_to_create(secret["name"], secret["key"])
    storage = spec["dependencies"]["storage"]["inCluster"]["values"]
    assert storage["existingSecret"] == f"{milvus()['metadata']['name']}-minio", "the name that the operator expects"
    assert shows_how_to_create(storage["existingSecret"], "secretkey")


def test_a_node_of_milvus_can_be_lost() -> None:
    components, dependencies = milvus()["spec"]["components"], milvus()["spec"]["dependencies"]
    assert all(components[nodes]["replicas"] >= 2 for nodes in ("proxy", "queryNode", "streamingNode"))
    etcd, storage = (dependencies[name]["inCluster"] for name in ("etcd", "storage"))
    assert etcd["values"]["replicaCount"] == 3
    assert storage["values"]["mode"] == "distributed"
    assert etcd["deletionPolicy"] == storage["deletionPolicy"] == "Retain"


def test_compose_and_kubernetes_have_the_same_milvus() -> None:
    assert milvus()["spec"]["components"]["image"] == compose_services("", SCALE, MILVUS)["milvus"]["image"]


@with_keda
def test_the_number_of_replicas_follows_metrics_of_the_service(name: str) -> None:
    scaled, deployment = only_manifest(name, "ScaledObject"), only_manifest(name, "Deployment")
    target = scaled["spec"]["scaleTargetRef"]
    assert target == {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "name": deployment["metadata"]["name"],
    }
    assert "replicas" not in deployment["spec"], "every apply would set it back"
    queried = [
        metric for trigger in scaled["spec"]["triggers"] for metric in queried_metrics(trigger["metadata"]["query"])
    ]
    assert [metric.metric for metric in queried] == ["face_queued_crops", "face_images_in_flight"]
    assert {metric.metric for metric in queried} <= metric_names()
    assert all(metric.matchers == (("job", "=", "face"),) for metric in queried)


@with_keda
def test_a_replica_is_added_before_it_refuses_requests(name: str) -> None:
    in_flight = load_deployed_settings(name).limits.images_in_flight
    thresholds = [
        trigger["metadata"]["threshold"] for trigger in only_manifest(name, "ScaledObject")["spec"]["triggers"]
    ]
    assert all(2 * int(threshold) <= in_flight for threshold in thresholds)


def test_the_readme_has_the_same_queries_for_the_prometheus_adapter() -> None:
    readme = (K8S / "README.md").read_text("utf-8")
    for metric in ("face_queued_crops", "face_images_in_flight"):
        assert f"name: {metric}" in readme


def test_the_example_that_keeps_the_audit_log_has_a_folder_for_each_pod() -> None:
    (example,) = [example for example in examples() if "subPathExpr" in example]
    (deployment,) = [one for one in render_kustomization(example) if one["kind"] == "Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    (volume,) = [volume for volume in spec["volumes"] if volume["name"] == "data"]
    assert volume == {"name": "data", "persistentVolumeClaim": {"claimName": "facenet-audit"}}
    (mount,) = [mount for mount in spec["containers"][0]["volumeMounts"] if mount["name"] == "data"]
    assert (mount["mountPath"], mount["subPathExpr"]) == ("/data", "$(POD_NAME)")


def test_no_password_is_in_a_manifest() -> None:
    for name in RENDERINGS:
        for manifest in render(name):
            assert "password=" not in yaml.safe_dump(manifest)
