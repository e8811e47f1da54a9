"""What an operator is shown and told: metrics and labels that exist, rules that fire, panels that are not empty.

Where Prometheus is installed, a real one scrapes the running service, and is asked for every panel and every rule.
"""

import ast
import json
import math
import re
import shutil
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from service.api.observed import CLIENT_LEFT
from service.app import describe_app
from service.clusterers import CLUSTERERS
from service.observability import metrics
from service.settings import Settings, variables
from tests.served import serve

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "docker" / "monitoring"
GRAFANA = MONITORING / "grafana"
CONFIG: dict[str, Any] = yaml.safe_load((MONITORING / "prometheus.yml").read_text("utf-8"))
RULES = [
    rule
    for group in yaml.safe_load((MONITORING / "alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "face.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
SHOWN = {f"{panel['id']} {panel['title']} {one['refId']}": one["expr"] for panel in PANELS for one in panel["targets"]}
JUDGED = {rule.get("alert", rule.get("record")): rule["expr"] for rule in RULES}
each_expression = pytest.mark.parametrize("expr", [*SHOWN.values(), *JUDGED.values()], ids=[*SHOWN, *JUDGED])

COUNTED_WITHIN_S = 60
WINDOW = "2m"
"""Longer than all of these tests take, so that the traffic of their beginning is in it to the end."""


def metric_names() -> set[str]:
    """As Prometheus sees them: those of the service, and those that prometheus_client gives every process."""
    own = (
        one for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase) for one in metric.describe()
    )
    endings = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",), "gauge": ("",)}
    named = {family.name + ending for family in own for ending in endings[family.type]}
    process = {sample.name for family in REGISTRY.collect() for sample in family.samples}
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    return named | recorded | {name for name in process if not name.startswith("face_")} | {"up", "ALERTS"}


def strings(node: ast.AST) -> list[str]:
    return [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def labels_of_metrics() -> dict[str, list[str]]:
    """By the name that the code gives the metric: DECISIONS has decision and outcome."""
    tree = ast.parse(Path(metrics.__file__).read_text("utf-8"))
    found = (node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call))
    return {
        ast.unparse(node.targets[0]): [
            one for arg in node.value.args if isinstance(arg, ast.List) for one in strings(arg)
        ]
        for node in found
        if isinstance(node.value, ast.Call)
    }


@cache
def label_values() -> dict[str, set[str]]:
    """Every value that a label may have: what is written where it is counted, and what HTTP and the routes bring."""
    known = defaultdict(set, {"outcome": set(CLUSTERERS)})
    trees = (ast.parse(file.read_text("utf-8")) for file in (ROOT / "service").rglob("*.py"))
    for node in chain.from_iterable(map(ast.walk, trees)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=metric), attr="labels"), args=args):
                for label, arg in zip(labels_of_metrics()[metric], args, strict=True):
                    known[label] |= set(strings(arg))
            case ast.Call(func=ast.Name(id="stage" | "record"), args=[ast.Constant(value=str(name)), *_]):
                known["stage"].add(name)
            case ast.Call(func=ast.Name(id="problem"), args=[_, ast.Constant(value=str(code)), *_]):
                known["code"].add(code)
            case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
                known["code"].add(code)
            case ast.AnnAssign(target=ast.Name(id="status"), value=ast.Constant(value=str(outcome))):
                known["outcome"].add(outcome)
    return dict(known) | of_http()


def of_http() -> dict[str, set[str]]:
    """Of labels that no call of the code spells out: what HTTP, the routes, the scrape job and the rules bring."""
    paths = describe_app(Settings()).openapi()["paths"]
    return {
        "route": {*paths, "(none)"},
        "method": {method.upper() for path in paths.values() for method in path},
        "status": {str(status.value) for status in HTTPStatus} | {str(CLIENT_LEFT)},
        "job": {job["job_name"] for job in CONFIG["scrape_configs"]},
        "alertname": set(ALERTS),
        "alertstate": {"pending", "firing"},
    }


GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
SELECTOR = re.compile(r'(?<![\w:.$])([a-zA-Z_:][\w:]*)(?![\w:]|\s*\()(?:\{((?:[^"}]|"[^"]*")*)\})?')
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
OPERATORS = {"and", "or", "unless", "bool"}


@dataclass(frozen=True)
class Asked:
    metric: str
    matchers: tuple[tuple[str, str, str], ...]


def asked(expr: str) -> list[Asked]:
    """Its metrics with their matchers. Whether it is PromQL at all is Prometheus's to say."""
    plain = re.sub(r"\[[^\]]*\]|\boffset\s+\w+", "", GROUPING.sub("", expr))
    found = (Asked(name, tuple(MATCHER.findall(matchers))) for name, matchers in SELECTOR.findall(plain))
    return [one for one in found if one.metric not in OPERATORS]


@each_expression
def test_each_metric_and_each_grouping_is_one_of_the_service(expr: str) -> None:
    assert {one.metric for one in asked(expr)} <= metric_names()
    by = {name.strip() for group in GROUPING.findall(expr) for name in group.split(",")} - {""}
    assert by <= {"le", "instance", *label_values()}


@each_expression
def test_each_label_has_such_a_value_in_the_code(expr: str) -> None:
    known = label_values()
    for label, operator, value in chain.from_iterable(one.matchers for one in asked(expr)):
        for alternative in value.split("|") if "~" in operator else [re.escape(value)]:
            assert any(re.fullmatch(alternative, one) for one in known[label]), f"{label}={alternative}"


def test_what_the_operator_is_told_to_set_are_settings() -> None:
    told = json.dumps([RULES, DASHBOARD]) + (MONITORING / "README.md").read_text("utf-8")
    assert set(re.findall(r"FACE_[A-Z_]+", told)) <= {one.name for one in variables()}


@pytest.mark.parametrize("rule", ALERTS.values(), ids=ALERTS)
def test_each_alert_says_how_grave_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description"}


def test_the_page_has_each_alert_as_the_rules_have_it() -> None:
    page = (MONITORING / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `(Face\w+)` \| (\w+) \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    assert rows == [
        (name, one["labels"]["severity"], one["annotations"]["description"]) for name, one in ALERTS.items()
    ]


def test_each_alert_has_a_test_in_which_it_fires() -> None:
    text = (MONITORING / "alerts_test.yml").read_text("utf-8")
    assert set(re.findall(r'alertname="(\w+)"', text)) == set(ALERTS)


def test_each_panel_says_what_it_shows_and_in_what_unit() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in PANELS:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


def test_no_panel_lies_on_another() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [(at["x"] + i, at["y"] + j) for at in places for i in range(at["w"]) for j in range(at["h"])]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_the_dashboard_finds_the_data_source_that_is_provisioned() -> None:
    provisioned = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text("utf-8"))
    (source,) = provisioned["datasources"]
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["current"]["value"], variable["query"]) == (source["uid"], source["type"])
    assert all(panel["datasource"] == {"type": source["type"], "uid": "${datasource}"} for panel in PANELS)
    assert source["jsonData"]["timeInterval"] == CONFIG["global"]["scrape_interval"]


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian's package `prometheus` has it)")
    return found


@pytest.mark.parametrize(
    "arguments",
    [["check", "config", "prometheus.yml"], ["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]],
    ids=" ".join,
)
def test_promtool_is_content(arguments: list[str]) -> None:
    done = subprocess.run(
        [tool("promtool"), *arguments], cwd=MONITORING, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Prometheus:
    url: str

    def get(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def numbers(self, expr: str) -> list[float]:
        """What a panel or a rule would get: a number for each series that has one."""
        result = self.get("query", query=expr.replace("$__rate_interval", WINDOW))["result"]
        values = (float(one["value"][1]) for one in result)
        return [value for value in values if math.isfinite(value)]

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]


@contextmanager
def prometheus_beside(service: str, folder: Path) -> Iterator[Prometheus]:
    """As it is shipped, but for the service's address and the pace."""
    (job,) = CONFIG["scrape_configs"]
    config = CONFIG | {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [job | {"static_configs": [{"targets": [urlsplit(service).netloc]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    shutil.copy(MONITORING / "alerts.yml", folder)
    command = [tool("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    command += ["--web.listen-address=127.0.0.1:0", "--log.format=json"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            yield Prometheus(f"http://{listens_at(process.stderr)}")
        finally:
            process.terminate()


def listens_at(log: IO[str]) -> str:
    said = []
    for line in log:
        said.append(line)
        told = json.loads(line)
        if told.get("msg") == "Listening on":
            threading.Thread(target=log.read, daemon=True).start()  # a full pipe would stop it
            return str(told["address"])
    pytest.fail("".join(said))


def some_of_each(service: str, photographs: Path) -> None:
    """The requests that the dashboard is about, and what a probe asks."""
    first, second = ((photographs / "obama" / name).read_bytes() for name in ("obama.jpg", "obama2.jpg"))
    with httpx.Client(base_url=service) as client:
        client.put("/collections/default/subjects/obama", json={})
        client.post("/collections/default/subjects/obama/faces", files={"images": first})
        client.post("/verify", files={"image_a": first, "image_b": second})
        client.post("/identify", files={"image": second})
        client.post("/cluster", files=[("images", first), ("images", second)])
        client.post("/embed", files={"images": second})
        assert client.post("/embed", files={"images": b"not an image"}).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert client.get("/readyz").status_code == HTTPStatus.OK


@pytest.fixture(scope="module")
def prometheus(models_dir: Path, photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It has seen some of each request at two scrapes, and has judged each rule."""
    tool("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    with serve(folder / "gallery", models_dir) as served, prometheus_beside(served.url, folder) as running:
        until = time.monotonic() + COUNTED_WITHIN_S
        while len(running.numbers(f"sum by (decision) (increase(face_decisions_total[{WINDOW}])) > 0")) < 4 or any(
            rule["health"] == "unknown" for rule in running.rules()
        ):
            assert time.monotonic() < until, running.get("targets")
            some_of_each(served.url, photographs)
        yield running


@pytest.mark.parametrize("expr", SHOWN.values(), ids=SHOWN)
def test_each_panel_has_data(prometheus: Prometheus, expr: str) -> None:
    assert prometheus.numbers(expr)


@pytest.mark.parametrize("name", JUDGED)
def test_each_rule_is_evaluated(prometheus: Prometheus, name: str) -> None:
    prometheus.numbers(JUDGED[name])
    (rule,) = [rule for rule in prometheus.rules() if rule["name"] == name]
    assert (rule["health"], rule.get("lastError")) == ("ok", None)


def test_a_service_that_is_well_raises_no_alarm(prometheus: Prometheus) -> None:
    assert {rule["name"] for rule in prometheus.rules() if rule.get("state") == "firing"} == set()


@pytest.mark.parametrize("label", ["route", "method", "status", "stage", "decision", "outcome", "code"])
def test_what_is_counted_is_what_was_read_from_the_code(prometheus: Prometheus, label: str) -> None:
    assert set(prometheus.get(f"label/{label}/values")) <= label_values()[label]
