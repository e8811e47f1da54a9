"""Schemas of ServiceMonitor and PrometheusRule, with the fields that the manifests of this project use.

The Prometheus operator defines these two kinds, so Kubernetes has no schemas of them. If a manifest needs another
field, add it here as the operator defines it.
"""

from typing import Any

Schema = dict[str, Any]


def _object(*required: str, **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}


def _list(items: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": items}


_TEXT = {"type": "string", "minLength": 1}
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

SPECS = {
    "ServiceMonitor": _object(
        "selector", "endpoints", selector=_object("matchLabels", matchLabels=_TEXT_MAP), endpoints=_list(_ENDPOINT)
    ),
    "PrometheusRule": _object("groups", groups=_list(_object("name", "rules", name=_TEXT, rules=_list(_RULE)))),
}
