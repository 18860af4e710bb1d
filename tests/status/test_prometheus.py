"""`/metrics`, as promtool and a real Prometheus read it. The dashboard, the alerts and the page of
the documentation name what exists."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import prometheus
from harness.mode import Mode
from harness.server import TESTS, Server, Spawn, free_port
from harness.wait import until
from harness.wire import Wire, get

ROOT = TESTS.parent
DASHBOARD = ROOT / "deploy/grafana/rgunicorn.json"
ADAPTER = ROOT / "deploy/kubernetes/prometheus-adapter.yaml"
PAGE = (ROOT / "docs/observability/metrics.md").read_text()
REQUESTS = 7

pytestmark = [
    pytest.mark.ours("status_bind"),
    pytest.mark.skipif(
        not prometheus.available(),
        reason="prometheus and promtool are not installed (Debian: prometheus)",
    ),
]


@pytest.fixture(scope="module")
def status(module_spawn: Spawn) -> str:
    """Where a server that has answered some requests shows its status."""
    address = f"127.0.0.1:{free_port()}"
    settings = {"status_bind": address, "workers": 2, "max_queue": 50}
    server: Server = module_spawn("kitchen:app", Mode("gthread"), settings=settings)
    for _ in range(REQUESTS):
        with Wire(server.address) as wire:
            wire.send(get("/", "Connection: close")).response()
    until(lambda: total(page(address)) == REQUESTS, "the requests to be counted", show=server.log)
    return address


@pytest.fixture(scope="module")
def scraper(
    status: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[prometheus.Prometheus]:
    with prometheus.prometheus(tmp_path_factory.mktemp("prometheus"), status) as running:
        # Two scrapes, so that rates have something to go by.
        scrapes = 'count_over_time(up{job="rgunicorn"}[1m])'
        until(lambda: (running.value(scrapes) or 0) >= 3, "three scrapes", show=running.log)
        yield running


def page(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4"
        text: str = answer.read().decode()
        return text


def total(text: str) -> float:
    return sum(float(n) for n in re.findall(r"^rgunicorn_requests_total\{.*\} (\S+)$", text, re.M))


def families(text: str) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Type, help and labels of each metric on the page."""
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.M))
    labels: dict[str, set[str]] = {name: set() for name in kinds}
    for name, found in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.M):
        base = next(it for it in (name, re.sub("_(bucket|sum|count)$", "", name)) if it in kinds)
        labels[base] |= set(re.findall(r'(\w+)="', found)) - {"le"}
    return {name: (kinds[name], helps[name], tuple(sorted(labels[name]))) for name in kinds}


def named(text: str) -> set[str]:
    """Metrics that a text speaks of."""
    names = set(re.findall(r"\brgunicorn_[a-z_]+", text))
    return {re.sub("_(bucket|sum|count)$", "", name) for name in names}


def test_promtool_finds_no_fault(status: str) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=page(status),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_prometheus_counts_what_was_asked(scraper: prometheus.Prometheus) -> None:
    (target,) = scraper.api("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    assert scraper.value("sum(rgunicorn_requests_total)") == REQUESTS
    assert scraper.value('sum(rgunicorn_requests_total{class="2xx"})') == REQUESTS
    assert scraper.value("sum(rgunicorn_request_duration_seconds_count)") == REQUESTS
    assert scraper.value("rgunicorn_workers_ready") == 2
    assert scraper.value("rgunicorn_queue_limit_requests") == 50


def test_alerts_are_rules_that_prometheus_runs(scraper: prometheus.Prometheus) -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", str(prometheus.RULES)], capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    (group,) = scraper.api("rules")["groups"]
    assert len(group["rules"]) > 5
    until(
        lambda: all(rule["health"] == "ok" for rule in scraper.api("rules")["groups"][0]["rules"]),
        "all rules to be run",
        show=scraper.log,
    )
    firing = [alert["labels"]["alertname"] for alert in scraper.api("alerts")["alerts"]]
    assert firing == [], "a server that is well alarms nobody"


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_every_expression_of_the_dashboard_is_understood(scraper: prometheus.Prometheus) -> None:
    assert len(expressions()) > 30
    for expression in expressions():
        for variable, value in {"$__rate_interval": "1m", "$job": ".+", "$instance": ".+"}.items():
            expression = expression.replace(variable, value)
        assert "$" not in expression
        scraper.query(expression)


def test_the_scaler_gets_its_number(scraper: prometheus.Prometheus) -> None:
    yaml = pytest.importorskip("yaml")
    (rule,) = yaml.safe_load(ADAPTER.read_text())["rules"]["custom"]
    query = rule["metricsQuery"].replace("<<.GroupBy>>", "pod")
    assert scraper.query(rule["seriesQuery"])
    assert (
        scraper.value(query.replace("<<.LabelMatchers>>", 'namespace="shop",pod=~"shop-.*"')) == 0
    )


@pytest.mark.parametrize("path", [DASHBOARD, prometheus.RULES, ADAPTER], ids=lambda it: it.name)
def test_only_metrics_that_exist_are_named(status: str, path: Path) -> None:
    known = set(families(page(status)))
    aliases = {"rgunicorn_utilisation"}
    assert named(path.read_text()) - aliases <= known | only_with_what_it_needs()


def only_with_what_it_needs() -> set[str]:
    """Metrics of the documentation that this machine or this server has no value for."""
    return {
        "rgunicorn_listen_backlog",
        "rgunicorn_master_proportional_memory_bytes",
        "rgunicorn_worker_proportional_memory_bytes",
    }


def test_the_documentation_lists_all_of_them(status: str) -> None:
    rows = re.findall(r"^\| `(rgunicorn_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", PAGE, re.M)
    told = {
        name: (kind, text, tuple(sorted(re.findall("`(.*?)`", labels))))
        for name, kind, labels, text in rows
    }
    found = families(page(status))
    assert {name: told.get(name) for name in found} == found
    assert set(told) - set(found) <= only_with_what_it_needs()


def test_the_dashboard_is_what_its_program_writes() -> None:
    source = DASHBOARD.with_name("dashboard.py")
    spec = importlib.util.spec_from_file_location("dashboard", source)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.text() == DASHBOARD.read_text()
