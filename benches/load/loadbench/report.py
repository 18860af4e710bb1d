"""A run's results as one JSON document and as Markdown tables."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from loadbench.measure import Memory, Plan, Sample
from loadbench.paths import REPOSITORY
from loadbench.peers import Peer
from loadbench.scenarios import Scenario
from loadbench.summary import Row, summarise
from loadbench.syscalls import SyscallCount

_BASELINE = "gunicorn-sync"
_FLOOR = "responder"
# Interrupts and the kernel's own threads stay below this; a second program does not.
_QUIET = 0.05


@dataclass
class Results:
    """Everything one run found; parts that were not asked for stay empty."""

    peers: list[Peer]
    scenarios: list[Scenario]
    plan: Plan
    skipped: dict[str, str]
    samples: list[Sample] = field(default_factory=list)
    syscalls: dict[tuple[str, str], SyscallCount] = field(default_factory=dict)
    boots: dict[str, list[float]] = field(default_factory=dict)
    memory: list[Memory] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    date: str = field(
        default_factory=lambda: datetime.datetime.now(datetime.timezone.utc).isoformat(
            timespec="seconds"
        )
    )


def as_json(results: Results) -> dict[str, Any]:
    """The document: single samples too, so that a table can be made again from it."""
    return {
        "date": results.date,
        "machine": machine(),
        "plan": asdict(results.plan),
        "versions": {peer.name: peer.version() for peer in results.peers},
        "skipped": results.skipped,
        "failures": results.failures,
        "summary": [asdict(row) for row in summarise(results.samples)],
        "samples": [asdict(sample) for sample in results.samples],
        "syscalls": [
            {
                "server": server,
                "scenario": scenario,
                "requests": count.requests,
                "per_request": count.per_request,
                "calls": dict(sorted(count.calls.items(), key=lambda item: -item[1])),
            }
            for (server, scenario), count in results.syscalls.items()
        ],
        "boot_seconds": results.boots,
        "memory": [asdict(one) for one in results.memory],
    }


def as_markdown(results: Results) -> str:
    """The same as tables, one per scenario, and one for boot and memory."""
    facts = machine()
    plan = results.plan
    versions = ", ".join(f"{peer.name} {peer.version()}" for peer in results.peers)
    lines = [
        f"# Load, {results.date}",
        "",
        f"{facts['cpu']}, {facts['cores']} cores, Linux {facts['kernel']}, "
        f"CPython {facts['python']}, tree {facts['commit']}. Load average at the end: "
        f"{facts['load']}.",
        f"One worker on core {plan.server_core}, wrk with {plan.connections} connections on core "
        f"{plan.client_core}; medians of {plan.rounds} rounds of {plan.seconds} s, every second "
        "round in the opposite order.",
        "",
        f"Versions: {versions}.",
    ]
    for name, why in results.skipped.items():
        lines += ["", f"Not measured: {name}: {why}"]
    for failure in results.failures:
        lines += ["", f"**Failed**: {failure}"]
    rows = summarise(results.samples)
    for scenario in results.scenarios:
        lines += _scenario_table(scenario, rows, results)
    lines += _start_table(results)
    return "\n".join(lines) + "\n"


def machine() -> dict[str, Any]:
    """Where the numbers come from."""
    with open("/proc/cpuinfo") as cpuinfo:
        models = [line.partition(":")[2].strip() for line in cpuinfo if "model name" in line]
    describe = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    commit = subprocess.run(describe, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": commit or "unknown",
        "load": f"{os.getloadavg()[0]:.2f}",
    }


def _scenario_table(scenario: Scenario, rows: list[Row], results: Results) -> list[str]:
    mine = {row.server: row for row in rows if row.scenario == scenario.name}
    counts = results.syscalls
    shown = [
        peer for peer in results.peers if peer.name in mine or (peer.name, scenario.name) in counts
    ]
    if not shown:
        return []
    lines = [
        "",
        f"## {scenario.title}",
        "",
        "| server | CPU µs/req | user | system | min–max | req/CPU s | x Gunicorn | x floor "
        "| syscalls/req | req/s | core busy | p50 ms | p99 ms |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    closers = False
    errors = 0
    for peer in shown:
        count = counts.get((peer.name, scenario.name))
        calls = f"{count.per_request:.2f}" if count else ""
        row = mine.get(peer.name)
        if row is None:
            lines.append(f"| {peer.title} | | | | | | | | {calls} | | | | |")
            continue
        closes = scenario.keep_alive and not row.kept_alive
        closers = closers or closes
        errors += row.socket_errors
        baseline, floor = mine.get(_BASELINE), mine.get(_FLOOR)
        faster = f"{baseline.cpu_us / row.cpu_us:.1f}" if baseline else ""
        above = f"{row.cpu_us / floor.cpu_us:.2f}" if floor else ""
        lines.append(
            f"| {peer.title}{' †' if closes else ''} | {row.cpu_us:.2f} | {row.user_us:.2f} "
            f"| {row.system_us:.2f} | {row.cpu_us_min:.2f}–{row.cpu_us_max:.2f} "
            f"| {row.requests_per_cpu_s:,.0f} | {faster} | {above} | {calls} "
            f"| {row.requests_per_s:,.0f} | {row.busy:.0%} | {row.p50_ms:.2f} "
            f"| {row.p99_ms:.2f} |"
        )
    if closers:
        lines += ["", "† closes the connection after each response all the same."]
    noise = max((row.foreign for row in mine.values()), default=0.0)
    if noise > _QUIET:
        noisy = f"**Noisy**: other programs took up to {noise:.0%} of the server's core."
        lines += ["", f"{noisy} Good for checking the harness, not for conclusions."]
    if errors:
        lines += ["", f"wrk counted {errors} socket errors in this scenario; see the JSON."]
    return lines


def _start_table(results: Results) -> list[str]:
    memory = {one.server: one for one in results.memory}
    shown = [peer for peer in results.peers if peer.name in results.boots or peer.name in memory]
    if not shown:
        return []
    lines = [
        "",
        "## Boot and memory",
        "",
        f"Boot: start to first response, one worker, median of {results.plan.starts} starts. "
        "Memory: PSS of master and 4 workers after requests.",
        "",
        "| server | boot ms | min–max | PSS MiB | processes |",
        "|---|--:|--:|--:|--:|",
    ]
    for peer in shown:
        boots = [one * 1e3 for one in results.boots.get(peer.name, [])]
        boot = f"{median(boots):.0f} | {min(boots):.0f}–{max(boots):.0f}" if boots else " | "
        used = memory.get(peer.name)
        pss = f"{used.bytes / 2**20:.1f} | {used.processes}" if used else " | "
        lines.append(f"| {peer.title} | {boot} | {pss} |")
    return lines
