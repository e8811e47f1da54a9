"""Monitoring: rules and panels use metrics and labels that exist, every rule can fire, and every panel has data.

If Prometheus is installed, it scrapes a running service, and the tests query every panel and every rule.
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
from typing import IO, Any, get_args
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from service.access.secret_file import write_admin_key
from service.api.middleware.observation import CLIENT_LEFT
from service.app import describe_app
from service.clusterers import CLUSTERERS
from service.decisions.identify import Decision
from service.observability import metrics
from service.settings.environment import Settings, list_variables
from tests.support.running_service import run_service

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
PANEL_EXPRESSIONS = {
    f"{panel['id']} {panel['title']} {target['refId']}": target["expr"]
    for panel in PANELS
    for target in panel["targets"]
}
RULE_EXPRESSIONS = {rule.get("alert", rule.get("record")): rule["expr"] for rule in RULES}
each_expression = pytest.mark.parametrize(
    "expr", [*PANEL_EXPRESSIONS.values(), *RULE_EXPRESSIONS.values()], ids=[*PANEL_EXPRESSIONS, *RULE_EXPRESSIONS]
)

SCRAPE_TIMEOUT_S = 60
RATE_WINDOW = "2m"
"""Longer than these tests run. So the first requests are in this window until the last test."""


def metric_names() -> set[str]:
    """Return the names of all series: of the service, of prometheus_client for any process, and of recording rules."""
    families = (
        family
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase)
        for family in metric.describe()
    )
    endings = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",), "gauge": ("",)}
    service_names = {family.name + ending for family in families for ending in endings[family.type]}
    process_names = {sample.name for family in REGISTRY.collect() for sample in family.samples}
    recorded_names = {rule["record"] for rule in RULES if "record" in rule}
    return (
        service_names
        | recorded_names
        | {name for name in process_names if not name.startswith("face_")}
        | {"up", "ALERTS"}
    )


def string_constants(node: ast.AST) -> list[str]:
    return [child.value for child in ast.walk(node) if isinstance(child, ast.Constant) and isinstance(child.value, str)]


def labels_of_metrics() -> dict[str, list[str]]:
    """Return the labels of each metric, by its name in the code. Example: DECISIONS has decision and outcome."""
    tree = ast.parse(Path(metrics.__file__).read_text("utf-8"))
    assignments = (node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call))
    return {
        ast.unparse(node.targets[0]): [
            label for arg in node.value.args if isinstance(arg, ast.List) for label in string_constants(arg)
        ]
        for node in assignments
        if isinstance(node.value, ast.Call)
    }


@cache
def label_values() -> dict[str, set[str]]:
    """Return all values that each label can have: those in the code that counts, and those that are not in the code."""
    values = defaultdict(set, {"outcome": {*CLUSTERERS, *get_args(Decision)}})
    trees = (ast.parse(file.read_text("utf-8")) for file in (ROOT / "service").rglob("*.py"))
    for node in chain.from_iterable(map(ast.walk, trees)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=metric), attr="labels"), args=args):
                for label, arg in zip(labels_of_metrics()[metric], args, strict=True):
                    values[label] |= set(string_constants(arg))
            case ast.Call(func=ast.Name(id="stage" | "record_stage"), args=[ast.Constant(value=str(name)), *_]):
                values["stage"].add(name)
            case ast.Call(func=ast.Name(id="_problem"), args=[_, ast.Constant(value=str(code)), *_]):
                values["code"].add(code)
            case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
                values["code"].add(code)
            case ast.AnnAssign(target=ast.Name(id="status"), value=ast.Constant(value=str(outcome))):
                values["outcome"].add(outcome)
    return dict(values) | label_values_not_in_the_code()


def label_values_not_in_the_code() -> dict[str, set[str]]:
    """Return the values of the other labels. They come from HTTP, the routes, the scrape job and the rules."""
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
class QueriedMetric:
    metric: str
    matchers: tuple[tuple[str, str, str], ...]


def queried_metrics(expr: str) -> list[QueriedMetric]:
    """Return the metrics of an expression, with their label matchers. It is not checked that it is valid PromQL."""
    plain = re.sub(r"\[[^\]]*\]|\boffset\s+\w+", "", GROUPING.sub("", expr))
    queried = (QueriedMetric(name, tuple(MATCHER.findall(matchers))) for name, matchers in SELECTOR.findall(plain))
    return [metric for metric in queried if metric.metric not in OPERATORS]


@each_expression
def test_each_metric_and_each_grouping_label_exists(expr: str) -> None:
    assert {queried.metric for queried in queried_metrics(expr)} <= metric_names()
    grouping_labels = {name.strip() for group in GROUPING.findall(expr) for name in group.split(",")} - {""}
    assert grouping_labels <= {"le", "instance", *label_values()}


@each_expression
def test_each_label_value_exists_in_the_code(expr: str) -> None:
    known_values = label_values()
    for label, operator, value in chain.from_iterable(queried.matchers for queried in queried_metrics(expr)):
        for alternative in value.split("|") if "~" in operator else [re.escape(value)]:
            assert any(re.fullmatch(alternative, known_value) for known_value in known_values[label]), (
                f"{label}={alternative}"
            )


def test_every_variable_in_the_texts_for_operators_is_a_setting() -> None:
    texts = json.dumps([RULES, DASHBOARD]) + (MONITORING / "README.md").read_text("utf-8")
    assert set(re.findall(r"FACE_[A-Z_]+", texts)) <= {variable.name for variable in list_variables()}


@pytest.mark.parametrize("rule", ALERTS.values(), ids=ALERTS)
def test_each_alert_has_a_severity_a_summary_and_a_description(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description"}


def test_the_readme_lists_each_alert_as_in_the_rules() -> None:
    page = (MONITORING / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `(Face\w+)` \| (\w+) \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    assert rows == [
        (name, rule["labels"]["severity"], rule["annotations"]["description"]) for name, rule in ALERTS.items()
    ]


def test_each_alert_has_a_test_in_which_it_fires() -> None:
    text = (MONITORING / "alerts_test.yml").read_text("utf-8")
    assert set(re.findall(r'alertname="(\w+)"', text)) == set(ALERTS)


def test_each_panel_has_a_description_and_a_unit() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in PANELS:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


def test_panels_do_not_overlap() -> None:
    positions = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (position["x"] + i, position["y"] + j)
        for position in positions
        for i in range(position["w"])
        for j in range(position["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_the_dashboard_uses_the_provisioned_data_source() -> None:
    provisioned = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text("utf-8"))
    (source,) = provisioned["datasources"]
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["current"]["value"], variable["query"]) == (source["uid"], source["type"])
    assert all(panel["datasource"] == {"type": source["type"], "uid": "${datasource}"} for panel in PANELS)
    assert source["jsonData"]["timeInterval"] == CONFIG["global"]["scrape_interval"]


def find_tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (Debian's package `prometheus` has it)")
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "config", "--syntax-only", "prometheus.yml"],
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts_test.yml"],
    ],
    ids=" ".join,
)
def test_promtool_accepts_the_files(arguments: list[str]) -> None:
    result = subprocess.run(
        [find_tool("promtool"), *arguments], cwd=MONITORING, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@dataclass(frozen=True)
class Prometheus:
    url: str

    def get(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def numbers(self, expr: str) -> list[float]:
        """Return the value of the expression for each series whose value is finite."""
        result = self.get("query", query=expr.replace("$__rate_interval", RATE_WINDOW))["result"]
        values = (float(series["value"][1]) for series in result)
        return [value for value in values if math.isfinite(value)]

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]


@contextmanager
def run_prometheus(service_url: str, folder: Path, key_file: Path) -> Iterator[Prometheus]:
    """Run Prometheus with the shipped configuration, except for the service, the key file and shorter intervals."""
    (job,) = CONFIG["scrape_configs"]
    targets = {"static_configs": [{"targets": [urlsplit(service_url).netloc]}]}
    key = {"authorization": job["authorization"] | {"credentials_file": str(key_file)}}
    config = CONFIG | {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [job | targets | key],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    shutil.copy(MONITORING / "alerts.yml", folder)
    command = [find_tool("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    command += ["--web.listen-address=127.0.0.1:0", "--log.format=json"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            yield Prometheus(f"http://{read_listen_address(process.stderr)}")
        finally:
            process.terminate()


def read_listen_address(log: IO[str]) -> str:
    lines = []
    for line in log:
        lines.append(line)
        entry = json.loads(line)
        if entry.get("msg") == "Listening on":
            threading.Thread(target=log.read, daemon=True).start()  # a full pipe would block Prometheus
            return str(entry["address"])
    pytest.fail("".join(lines))


def send_each_request(service_url: str, photographs: Path) -> None:
    """Send the requests that the dashboard shows, and the request of a probe."""
    first, second = ((photographs / "obama" / name).read_bytes() for name in ("obama.jpg", "obama2.jpg"))
    with httpx.Client(base_url=service_url) as client:
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
    """Yield a Prometheus that has counted each request in at least two scrapes, and has evaluated each rule."""
    find_tool("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    with (
        run_service(folder / "gallery", models_dir) as service,
        run_prometheus(service.url, folder, MONITORING / "no_key") as prometheus,
    ):
        deadline_s = time.monotonic() + SCRAPE_TIMEOUT_S
        while len(
            prometheus.numbers(f"sum by (decision) (increase(face_decisions_total[{RATE_WINDOW}])) > 0")
        ) < 4 or any(rule["health"] == "unknown" for rule in prometheus.rules()):
            assert time.monotonic() < deadline_s, prometheus.get("targets")
            send_each_request(service.url, photographs)
        yield prometheus


@pytest.mark.parametrize("expr", PANEL_EXPRESSIONS.values(), ids=PANEL_EXPRESSIONS)
def test_each_panel_has_data(prometheus: Prometheus, expr: str) -> None:
    assert prometheus.numbers(expr)


@pytest.mark.parametrize("name", RULE_EXPRESSIONS)
def test_each_rule_is_evaluated(prometheus: Prometheus, name: str) -> None:
    prometheus.numbers(RULE_EXPRESSIONS[name])
    (rule,) = [rule for rule in prometheus.rules() if rule["name"] == name]
    assert (rule["health"], rule.get("lastError")) == ("ok", None)


def test_no_alert_fires_for_a_healthy_service(prometheus: Prometheus) -> None:
    assert {rule["name"] for rule in prometheus.rules() if rule.get("state") == "firing"} == set()


@pytest.mark.parametrize(("scope", "up"), [("metrics", 1.0), ("read", 0.0)])
def test_a_service_with_keys_is_scraped_with_a_key_of_the_scope_metrics_only(
    models_dir: Path, tmp_path: Path, scope: str, up: float
) -> None:
    find_tool("prometheus")
    write_admin_key(admin_key_file := tmp_path / "admin_key")
    settings = {"FACE_ADMIN_KEY_FILE": str(admin_key_file)}
    with run_service(tmp_path / "gallery", models_dir, **settings) as service:
        admin = {"x-api-key": admin_key_file.read_text("ascii").strip()}
        answer = httpx.post(f"{service.url}/keys", headers=admin, json={"scopes": [scope]}).raise_for_status()
        (key_file := tmp_path / "metrics_key").write_text(f"{answer.json()['key']}\n", "ascii")
        with run_prometheus(service.url, tmp_path, key_file) as prometheus:
            deadline_s = time.monotonic() + SCRAPE_TIMEOUT_S
            while not (found := prometheus.numbers('up{job="face"}')):
                assert time.monotonic() < deadline_s, prometheus.get("targets")
            assert found == [up]


@pytest.mark.parametrize("label", ["route", "method", "status", "stage", "decision", "outcome", "code"])
def test_the_counted_label_values_are_those_read_from_the_code(prometheus: Prometheus, label: str) -> None:
    assert set(prometheus.get(f"label/{label}/values")) <= label_values()[label]
