"""deploy/kubernetes: the manifests, against Kubernetes' own schemas, and what they promise."""

from __future__ import annotations

import importlib.util
import signal
import urllib.error
import urllib.request
from typing import Any

import pytest

from harness.server import TESTS, Command, Spawn, free_port
from harness.shipped import launched
from harness.wait import until
from harness.wire import Wire, get

MANIFESTS = TESTS.parent / "deploy/kubernetes"
VERSION = "1.34"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("kubernetes_validate") is None,
    reason="kubernetes-validate is not installed",
)


def documents(name: str) -> list[dict[str, Any]]:
    import yaml

    return list(yaml.safe_load_all((MANIFESTS / name).read_text()))


def container() -> dict[str, Any]:
    found: dict[str, Any] = documents("shop.yaml")[0]["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize("name", ["shop.yaml", "autoscaling.yaml"])
def test_kubernetes_knows_what_they_say(name: str) -> None:
    import kubernetes_validate

    for document in documents(name):
        kubernetes_validate.validate(document, VERSION, strict=True)


def test_a_mistake_would_be_found() -> None:
    import kubernetes_validate

    document = documents("shop.yaml")[0]
    document["spec"]["template"]["spec"]["containers"][0]["readinessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, VERSION, strict=True)


def test_there_is_time_to_stop() -> None:
    pod = documents("shop.yaml")[0]["spec"]["template"]["spec"]
    given = {word.partition("=")[0]: word.partition("=")[2] for word in container()["args"]}
    delay, grace = given["--shutdown-delay"], given["--graceful-timeout"]
    assert pod["terminationGracePeriodSeconds"] > int(delay.removesuffix("s")) + int(grace)
    probe = container()["readinessProbe"]
    # The pod is known not to be ready before it stops listening.
    assert probe["periodSeconds"] * probe["failureThreshold"] < int(delay.removesuffix("s"))
    assert "lifecycle" not in container()


def test_the_scaler_and_its_source_agree() -> None:
    (scaler,) = documents("autoscaling.yaml")
    (values,) = documents("prometheus-adapter.yaml")
    (rule,) = values["rules"]["custom"]
    (metric,) = scaler["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    assert scaler["spec"]["scaleTargetRef"]["name"] == documents("shop.yaml")[0]["metadata"]["name"]


@pytest.mark.ours("status_bind")
def test_probes_are_answered_until_the_end(spawn: Spawn, command: Command) -> None:
    pod = container()
    ports = {port["name"]: port["containerPort"] for port in pod["ports"]}
    status = free_port()
    words = pod["args"]
    assert f"--bind=0.0.0.0:{ports['http']}" in words
    at = {f"0.0.0.0:{ports['status']}": f"127.0.0.1:{status}", "=10s": "=2s"}
    server = launched(spawn, command, words, at)

    def probed(name: str) -> int:
        target = pod[name]["httpGet"]
        assert target["port"] == "status"
        try:
            url = f"http://127.0.0.1:{status}{target['path']}"
            with urllib.request.urlopen(url, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    until(lambda: probed("startupProbe") == 200, "the pod to be started", show=server.log)
    assert probed("readinessProbe") == probed("livenessProbe") == 200
    server.send_signal(signal.SIGTERM)
    until(lambda: probed("readinessProbe") == 503, "the pod to be taken out", show=server.log)
    # Requests of who does not know yet are answered.
    with Wire(server.address) as wire:
        assert wire.send(get("/")).response().status == 200
    assert server.wait_exit() == 0
