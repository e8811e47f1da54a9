"""Schemas of the kinds that operators define, with the fields that the manifests of this project use.

Kubernetes has no schemas of them. If a manifest needs another field, add it here as the operator defines it: the
Prometheus operator, CloudNativePG 1.30 (Cluster), KEDA 2.20 (ScaledObject) or Milvus operator 1.3.8 (Milvus).
"""

from typing import Any

Schema = dict[str, Any]


def _object(*required: str, **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}


def _list(items: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": items}


_TEXT = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 1}
_TEXT_MAP = {"type": "object", "additionalProperties": _TEXT}
_DURATION = {"type": "string", "pattern": "^([0-9]+(ms|[smhdwy]))+$"}
_ALERT_OR_RECORD = {"oneOf": [{"required": ["alert"]}, {"required": ["record"]}]}
_RULE = _ALERT_OR_RECORD | _object(
    "expr", alert=_TEXT, record=_TEXT, expr=_TEXT, labels=_TEXT_MAP, annotations=_TEXT_MAP, **{"for": _DURATION}
)
_RELABELLING = _object("targetLabel", "replacement", targetLabel=_TEXT, replacement=_TEXT)
_SECRET_KEY = _object("name", "key", name=_TEXT, key=_TEXT)
_AUTHORIZATION = _object("credentials", credentials=_SECRET_KEY)
_ENDPOINT = _object(
    "port",
    port=_TEXT,
    path=_TEXT,
    interval=_DURATION,
    authorization=_AUTHORIZATION,
    relabelings=_list(_RELABELLING),
)

_INITDB = _object(
    "database",
    "owner",
    database=_TEXT,
    owner=_TEXT,
    dataChecksums={"type": "boolean"},
    secret=_object("name", name=_TEXT),
    postInitApplicationSQL=_list(_TEXT),
)
_SYNCHRONOUS = _object(
    "method", "number", method={"enum": ["any", "first"]}, number=_COUNT, failoverQuorum={"type": "boolean"}
)
_RESOURCES = _object(requests=_TEXT_MAP, limits=_TEXT_MAP)
_CLUSTER = _object(
    "instances",
    instances=_COUNT,
    imageName=_TEXT,
    bootstrap=_object(initdb=_INITDB),
    postgresql=_object(parameters=_TEXT_MAP, synchronous=_SYNCHRONOUS),
    resources=_RESOURCES,
    storage=_object("size", size=_TEXT),
)

_SCALING_POLICY = _object(
    "type", "value", "periodSeconds", type={"enum": ["Pods", "Percent"]}, value=_COUNT, periodSeconds=_COUNT
)
_SCALING_RULES = _object(
    stabilizationWindowSeconds={"type": "integer", "minimum": 0, "maximum": 3600}, policies=_list(_SCALING_POLICY)
)
_PROMETHEUS_TRIGGER = _object(
    "type",
    "metadata",
    type={"const": "prometheus"},
    metricType={"enum": ["AverageValue", "Value"]},
    metadata=_object("serverAddress", "query", "threshold", serverAddress=_TEXT, query=_TEXT, threshold=_TEXT),
)
_FALLBACK_BEHAVIORS = ["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"]
_SCALED_OBJECT = _object(
    "scaleTargetRef",
    "triggers",
    scaleTargetRef=_object("name", apiVersion=_TEXT, kind=_TEXT, name=_TEXT),
    minReplicaCount=_COUNT,
    maxReplicaCount=_COUNT,
    pollingInterval=_COUNT,
    fallback=_object(
        "failureThreshold",
        "replicas",
        failureThreshold=_COUNT,
        replicas=_COUNT,
        behavior={"enum": _FALLBACK_BEHAVIORS},
    ),
    advanced=_object(
        horizontalPodAutoscalerConfig=_object(behavior=_object(scaleUp=_SCALING_RULES, scaleDown=_SCALING_RULES))
    ),
    triggers=_list(_PROMETHEUS_TRIGGER),
)

_SECRET_VARIABLE = _object(
    "name",
    "valueFrom",
    name=_TEXT,
    valueFrom=_object("secretKeyRef", secretKeyRef=_object("name", "key", name=_TEXT, key=_TEXT)),
)
_MILVUS_NODES = _object("replicas", replicas=_COUNT, resources=_RESOURCES)
_CHART = _object(
    "values", deletionPolicy={"enum": ["Delete", "Retain"]}, values={"type": "object"}, pvcDeletion={"type": "boolean"}
)
_MILVUS = _object(
    "mode",
    mode={"enum": ["cluster", "standalone"]},
    components=_object(
        image=_TEXT,
        runAsNonRoot={"type": "boolean"},
        env=_list(_SECRET_VARIABLE),
        volumes=_list({"type": "object"}),
        volumeMounts=_list(_object("name", "mountPath", name=_TEXT, mountPath=_TEXT)),
        proxy=_MILVUS_NODES,
        mixCoord=_MILVUS_NODES,
        queryNode=_MILVUS_NODES,
        streamingNode=_MILVUS_NODES,
        dataNode=_MILVUS_NODES,
    ),
    dependencies=_object(
        msgStreamType={"enum": ["pulsar", "kafka", "woodpecker", "rocksmq", "natsmq", "custom"]},
        etcd=_object("inCluster", inCluster=_CHART),
        storage=_object("type", "inCluster", type={"enum": ["MinIO", "S3", "Azure"]}, inCluster=_CHART),
    ),
    config={"type": "object"},
)

API_VERSIONS = {
    "ServiceMonitor": "monitoring.coreos.com/v1",
    "PrometheusRule": "monitoring.coreos.com/v1",
    "Cluster": "postgresql.cnpg.io/v1",
    "ScaledObject": "keda.sh/v1alpha1",
    "Milvus": "milvus.io/v1beta1",
}
SPECS = {
    "ServiceMonitor": _object(
        "selector", "endpoints", selector=_object("matchLabels", matchLabels=_TEXT_MAP), endpoints=_list(_ENDPOINT)
    ),
    "PrometheusRule": _object("groups", groups=_list(_object("name", "rules", name=_TEXT, rules=_list(_RULE)))),
    "Cluster": _CLUSTER,
    "ScaledObject": _SCALED_OBJECT,
    "Milvus": _MILVUS,
}
