"""The agents: how each is started, offline, and what it reported."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.server import Server
from harness.sink import Sink

NEVER = "600"
"""Seconds between two reports. What arrives earlier was sent at the end of its process."""

NEWRELIC = """\
[newrelic]
license_key = 0000000000000000000000000000000000000000
app_name = shop
monitor_mode = true
developer_mode = true
audit_log_file = {directory}/audit.log
log_file = {directory}/agent.log
startup_timeout = 30.0
"""
"""Developer mode: everything but the network. The audit log shows what would have been sent."""

POST_FORK = """
def post_fork(server, worker):
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
    trace.set_tracer_provider(provider)
"""


@dataclass(frozen=True)
class Agent:
    """One way to be watched."""

    app: str
    paths: Callable[[Server, Sink], set[str]]
    """Paths of the requests it has reported."""
    workers: tuple[str, ...] = ("sync", "gthread")
    """Both where the server's hooks matter; the others differ in nothing but the framework."""
    wrapper: tuple[str, ...] = ()
    """What stands before the server's name on the command line."""
    env: Callable[[Path, Sink], Mapping[str, str]] = lambda directory, sink: {}
    config: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    """Written into the directory of the test first; `{directory}` is filled in."""
    hurries: bool = False
    """It sends an error at once, and at exit forgets what came while it did."""
    error: Callable[[Server, Sink], str] = lambda server, sink: server.log()
    """All it has said, for the exception's own words."""
    also: tuple[str, ...] = ()
    """What else it must have said by then."""


def newrelic_paths(server: Server, sink: Sink) -> set[str]:
    return set(re.findall(r" 'name': 'WebTransaction/Uri(/[^']+)'", audit(server, sink)))


def audit(server: Server, sink: Sink) -> str:
    path = server.directory.parent / "audit.log"
    return path.read_text() if path.exists() else ""


def sentry_paths(server: Server, sink: Sink) -> set[str]:
    items = [json.loads(line) for body in envelopes(sink) for line in body.splitlines()]
    sent = [item for item in items if item.get("type") == "transaction" and "request" in item]
    return {path_of(item["request"]["url"]) for item in sent}


def envelopes(sink: Sink) -> list[bytes]:
    return sink.bodies("/api/1/envelope/")


def datadog_paths(server: Server, sink: Sink) -> set[str]:
    # MessagePack, in which strings stand as they are.
    bodies = sink.bodies("/v0.5/traces") + sink.bodies("/v0.4/traces")
    urls = {url for body in bodies for url in re.findall(rb"http://[\w.:]+/\w+/\d", body)}
    return {path_of(url.decode()) for url in urls}


def elastic_paths(server: Server, sink: Sink) -> set[str]:
    events = [
        json.loads(line) for body in sink.bodies("/intake/v2/events") for line in body.splitlines()
    ]
    sent = [event["transaction"] for event in events if "transaction" in event]
    return {transaction["context"]["request"]["url"]["pathname"] for transaction in sent}


def console_paths(server: Server, sink: Sink) -> set[str]:
    return set(re.findall(r'"http.target": "([^"]+)"', server.log()))


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def said(bodies: Iterable[bytes]) -> str:
    return b"\n".join(bodies).decode("latin-1")


AGENTS = {
    "newrelic": Agent(
        "bare:app",
        newrelic_paths,
        wrapper=("newrelic-admin", "run-program"),
        env=lambda directory, sink: {"NEW_RELIC_CONFIG_FILE": f"{directory}/newrelic.ini"},
        files={"newrelic.ini": NEWRELIC},
        error=audit,
        also=("'Dispatcher', 'gunicorn'", "'Dispatcher Version', '27.0.1'"),
    ),
    "sentry": Agent(
        "with_sentry:app",
        sentry_paths,
        workers=("sync",),
        env=lambda directory, sink: {"SENTRY_SINK": sink.url.replace("//", "//key@") + "/1"},
        error=lambda server, sink: said(envelopes(sink)),
    ),
    "sentry-middleware": Agent(
        "bare_with_sentry:app",
        sentry_paths,
        workers=("gthread",),
        env=lambda directory, sink: {"SENTRY_SINK": sink.url.replace("//", "//key@") + "/1"},
        error=lambda server, sink: said(envelopes(sink)),
    ),
    "ddtrace": Agent(
        "shop:app",
        datadog_paths,
        wrapper=("ddtrace-run",),
        env=lambda directory, sink: {
            "DD_SERVICE": "shop",
            "DD_TRACE_AGENT_URL": sink.url,
            "DD_TRACE_WRITER_INTERVAL_SECONDS": NEVER,
            "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
            "DD_REMOTE_CONFIGURATION_ENABLED": "false",
        },
        error=lambda server, sink: said(sink.bodies("/v0")),
    ),
    "opentelemetry": Agent(
        "shop:app",
        console_paths,
        workers=("gthread",),
        wrapper=(
            *("opentelemetry-instrument", "--traces_exporter", "console"),
            *("--metrics_exporter", "none", "--logs_exporter", "none"),
        ),
        env=lambda directory, sink: {"OTEL_BSP_SCHEDULE_DELAY": f"{NEVER}000"},
    ),
    "opentelemetry-post-fork": Agent(
        "with_opentelemetry:app",
        console_paths,
        workers=("sync",),
        env=lambda directory, sink: {"OTEL_BSP_SCHEDULE_DELAY": f"{NEVER}000"},
        config=POST_FORK,
    ),
    "elastic": Agent(
        "with_elastic:app",
        elastic_paths,
        workers=("gthread",),
        hurries=True,
        env=lambda directory, sink: {
            "ELASTIC_APM_SERVICE_NAME": "shop",
            "ELASTIC_APM_SERVER_URL": sink.url,
            "ELASTIC_APM_CENTRAL_CONFIG": "false",
            "ELASTIC_APM_API_REQUEST_TIME": f"{NEVER}s",
        },
        error=lambda server, sink: said(sink.bodies("/intake")),
    ),
}
