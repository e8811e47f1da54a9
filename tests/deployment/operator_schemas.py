"""What a ServiceMonitor and a PrometheusRule may hold: the fields used here, of the Prometheus operator's definitions.

Kubernetes has no schemas of them. A field that is new to the manifests is added here, after a look at the operator's.
"""

from typing import Any

Schema = dict[str, Any]


def _closed(*required: str, **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}


def _list(items: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": items}


_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}
_DURATION = {"type": "string", "pattern": "^([0-9]+(ms|[smhdwy]))+$"}
_EITHER = {"oneOf": [{"required": ["alert"]}, {"required": ["record"]}]}
_RULE = _EITHER | _closed(
    "expr", alert=_TEXT, record=_TEXT, expr=_TEXT, labels=_TEXTS, annotations=_TEXTS, **{"for": _DURATION}
)
_RELABELLING = _closed("targetLabel", "replacement", targetLabel=_TEXT, replacement=_TEXT)
_ENDPOINT = _closed("port", port=_TEXT, path=_TEXT, interval=_DURATION, relabelings=_list(_RELABELLING))

SPECS = {
    "ServiceMonitor": _closed(
        "selector", "endpoints", selector=_closed("matchLabels", matchLabels=_TEXTS), endpoints=_list(_ENDPOINT)
    ),
    "PrometheusRule": _closed("groups", groups=_list(_closed("name", "rules", name=_TEXT, rules=_list(_RULE)))),
}
