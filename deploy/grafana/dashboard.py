"""Writes `rgunicorn.json`, the Grafana dashboard beside this file.

    python deploy/grafana/dashboard.py

Panels are easier to read here than in what Grafana imports. Every metric that is named here exists:
tests/status/test_dashboards.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, ORANGE, RED = "green", "orange", "red"

panels: list[dict[str, Any]] = []


def of(metric: str, *matchers: str) -> str:
    """A selector of the servers that the variables of the dashboard choose."""
    chosen = ",".join(('job=~"$job"', 'instance=~"$instance"', *matchers))
    return f"rgunicorn_{metric}{{{chosen}}}"


def rate(metric: str, *matchers: str, by: str = "") -> str:
    grouped = f"sum by ({by})" if by else "sum"
    return f"{grouped} (rate({of(metric, *matchers)}[$__rate_interval]))"


def quantile(metric: str, share: float) -> str:
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', by='le')})"


def mean(metric: str) -> str:
    return f"{rate(f'{metric}_sum')} / {rate(f'{metric}_count')}"


def total(metric: str, by: str = "") -> str:
    return f"sum by ({by}) ({of(metric)})" if by else f"sum({of(metric)})"


def panel(
    kind: str,
    title: str,
    about: str,
    place: tuple[int, int, int, int],
    unit: str,
    targets: list[tuple[str, str]],
    **defaults: Any,
) -> dict[str, Any]:
    x, y, width, height = place
    made = {
        "id": len(panels) + 1,
        "title": title,
        "description": about,
        "type": kind,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": width, "h": height},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, **defaults}, "overrides": []},
        "targets": [
            {
                "datasource": SOURCE,
                "editorMode": "code",
                "expr": expr,
                "legendFormat": legend,
                "range": True,
                "refId": chr(ord("A") + number),
            }
            for number, (expr, legend) in enumerate(targets)
        ],
    }
    panels.append(made)
    return made


def number(
    title: str, about: str, x: int, unit: str, expr: str, *limits: tuple[str, float | None]
) -> None:
    """One figure of the first row; `limits` are colours, each from a value on."""
    steps = [{"color": color, "value": value} for color, value in limits or [(GREEN, None)]]
    made = panel(
        "stat",
        title,
        about,
        (x, 0, 4, 4),
        unit,
        [(expr, "")],
        color={"mode": "thresholds"},
        thresholds={"mode": "absolute", "steps": steps},
    )
    made["options"] = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "textMode": "auto",
    }


def graph(
    title: str,
    about: str,
    place: tuple[int, int, int, int],
    unit: str,
    targets: list[tuple[str, str]],
    stacked: bool = False,
    colors: dict[str, str] | None = None,
) -> None:
    custom = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 20 if stacked else 8,
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
    }
    made = panel(
        "timeseries", title, about, place, unit, targets, color={"mode": "palette-classic"}
    )
    made["fieldConfig"]["defaults"]["custom"] = custom
    made["fieldConfig"]["overrides"] = [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}],
        }
        for name, color in (colors or {}).items()
    ]
    made["options"] = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": "variable"},
        "definition": query,
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "sort": 1,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "options": [],
        "regex": "",
        "hide": 0,
        "skipUrlSync": False,
    }


def figures() -> None:
    number("Requests", "All that are over.", 0, "reqps", rate("requests_total"))
    number(
        "5xx",
        "Share of the responses with a status from 500 on.",
        4,
        "percentunit",
        rate("requests_total", 'class="5xx"') + " / " + rate("requests_total"),
        (GREEN, None),
        (RED, 0.01),
    )
    number(
        "p99",
        "99 of 100 requests took no longer, from the complete request to the response's end.",
        8,
        "s",
        quantile("request_duration_seconds", 0.99),
        (GREEN, None),
        (ORANGE, 1),
        (RED, 5),
    )
    number(
        "Utilisation",
        "Share of the application slots (workers times threads) that are busy.",
        12,
        "percentunit",
        f"{total('app_slots_busy')} / {total('app_slots')}",
        (GREEN, None),
        (ORANGE, 0.7),
        (RED, 0.9),
    )
    number(
        "Workers ready",
        "Workers that have loaded the application.",
        16,
        "short",
        total("workers_ready"),
        (RED, None),
        (GREEN, 1),
    )
    number(
        "Waiting",
        "Complete requests that wait for a thread.",
        20,
        "short",
        total("queue_requests"),
        (GREEN, None),
        (ORANGE, 1),
        (RED, 20),
    )


def graphs() -> None:
    graph(
        "Requests by status class",
        "",
        (0, 4, 12, 8),
        "reqps",
        [(rate("requests_total", by="class"), "{{class}}")],
        stacked=True,
        colors={"2xx": GREEN, "3xx": "blue", "4xx": ORANGE, "5xx": RED},
    )
    shares = [
        (quantile("request_duration_seconds", q), f"p{q * 100:.0f}") for q in (0.5, 0.95, 0.99)
    ]
    graph(
        "How long requests take",
        "From the complete request to the end of its response.",
        (12, 4, 12, 8),
        "s",
        shares,
    )
    graph(
        "Where the time goes",
        "Mean of a request: it waits for a thread, is in the application, is written.",
        (0, 12, 12, 8),
        "s",
        [
            (mean("request_queue_seconds"), "waiting"),
            (mean("request_app_seconds"), "application"),
            (mean("request_write_seconds"), "writing"),
        ],
        stacked=True,
    )
    graph(
        "Application slots",
        "Those that are busy, and all.",
        (12, 12, 12, 8),
        "short",
        [(total("app_slots_busy"), "busy"), (total("app_slots"), "all")],
    )
    graph(
        "Queues",
        "Requests that wait for a thread; connections that wait to be let in.",
        (0, 20, 8, 8),
        "short",
        [
            (total("queue_requests"), "requests"),
            (total("listen_backlog", by="address"), "connections at {{address}}"),
        ],
    )
    graph(
        "Connections",
        "By what they are at.",
        (8, 20, 8, 8),
        "short",
        [(total("connections", by="state"), "{{state}}")],
        stacked=True,
    )
    graph(
        "Bytes",
        "",
        (16, 20, 8, 8),
        "Bps",
        [(rate("received_bytes_total"), "in"), (rate("sent_bytes_total"), "out")],
    )
    wrong = {
        "exceptions": "exceptions",
        "requests_overdue": "overdue",
        "requests_shed": "shed with 503",
        "requests_refused": "not understood",
        "read_errors": "failed reads",
        "write_errors": "failed writes",
    }
    graph(
        "What went wrong",
        "",
        (0, 28, 12, 8),
        "cps",
        [(rate(f"{metric}_total"), legend) for metric, legend in wrong.items()],
    )
    graph(
        "Workers that ended",
        "By reason.",
        (12, 28, 12, 8),
        "short",
        [
            (
                f"sum by (reason) (increase({of('worker_ends_total')}[$__rate_interval]))",
                "{{reason}}",
            )
        ],
        stacked=True,
    )
    memory = " or ".join(of(f"worker_{kind}_memory_bytes") for kind in ("proportional", "resident"))
    graph(
        "Memory of the workers",
        "What is shared is divided among those who share it, where the kernel tells.",
        (0, 36, 12, 8),
        "bytes",
        [(memory, "{{instance}} worker {{worker}}")],
        stacked=True,
    )
    graph(
        "Workers",
        "",
        (12, 36, 6, 8),
        "short",
        [
            (total("workers_wanted"), "wanted"),
            (total("workers"), "there"),
            (total("workers_ready"), "ready"),
        ],
    )
    graph(
        "Reloads",
        "",
        (18, 36, 6, 8),
        "short",
        [
            (f"sum(increase({of('reloads_total')}[$__rate_interval]))", "begun"),
            (f"sum(increase({of('reload_failures_total')}[$__rate_interval]))", "given up"),
            (f"max({of('reload_failed')})", "the last one failed"),
        ],
    )


def dashboard() -> dict[str, Any]:
    panels.clear()
    figures()
    graphs()
    source = {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "options": [],
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
    }
    return {
        "id": None,
        "uid": "rgunicorn",
        "title": "rgunicorn",
        "description": "rgunicorn servers, as their /metrics show them.",
        "tags": ["rgunicorn", "python"],
        "schemaVersion": 38,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "timezone": "",
        "time": {"from": "now-1h", "to": "now"},
        "annotations": {"list": []},
        "links": [],
        "templating": {
            "list": [
                source,
                variable("job", "Job", "label_values(rgunicorn_build_info, job)"),
                variable(
                    "instance",
                    "Instance",
                    'label_values(rgunicorn_build_info{job=~"$job"}, instance)',
                ),
            ]
        },
        "panels": panels,
    }


def text() -> str:
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("rgunicorn.json").write_text(text())
