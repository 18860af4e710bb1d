"""A run's results as one JSON document: what the tables and the page are made from."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from typing import Any

from loadbench.busy import Busy
from loadbench.curves.point import Point
from loadbench.dribble import Dribble
from loadbench.idle import Idle
from loadbench.memory import Memory
from loadbench.micro import Micro
from loadbench.paths import REPOSITORY
from loadbench.peer import Peer
from loadbench.plan import Plan
from loadbench.reload import Reload
from loadbench.scenarios import Scenario
from loadbench.stalled import Stalled
from loadbench.summary import duels, summarise
from loadbench.syscalls import SyscallCount
from loadbench.timed import Sample

Document = dict[str, Any]


@dataclass
class Results:
    """Everything one run found; parts that were not asked for stay empty."""

    command: str
    peers: list[Peer]
    scenarios: list[Scenario]
    plan: Plan
    skipped: dict[str, str]
    micro: list[Micro] = field(default_factory=list)
    wsgi_call_us: dict[str, float] = field(default_factory=dict)
    curves: list[Point] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    idle: list[Idle] = field(default_factory=list)
    busy: list[Busy] = field(default_factory=list)
    stalled: list[Stalled] = field(default_factory=list)
    dribble: list[Dribble] = field(default_factory=list)
    reload: list[Reload] = field(default_factory=list)
    preload: list[Memory] = field(default_factory=list)
    absent: list[dict[str, str]] = field(default_factory=list)
    syscalls: dict[tuple[str, str], SyscallCount] = field(default_factory=dict)
    boots: dict[str, list[float]] = field(default_factory=dict)
    memory: list[Memory] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    date: str = field(
        default_factory=lambda: datetime.datetime.now(datetime.timezone.utc).isoformat(
            timespec="seconds"
        )
    )


def document(results: Results) -> Document:
    """The document: single samples too, so that a table can be made again from it."""
    names = [peer.name for peer in results.peers]
    return {
        "date": results.date,
        "command": results.command,
        "machine": machine(),
        "plan": asdict(results.plan),
        "servers": [
            {
                "name": peer.name,
                "title": peer.title,
                "version": peer.version(),
                "ours": peer.is_ours,
                "threads": peer.has_threads,
                "floor": peer.is_floor,
            }
            for peer in results.peers
        ],
        "scenarios": [
            {
                "name": scenario.name,
                "title": scenario.title,
                "keep_alive": scenario.keep_alive,
                "limit": scenario.limit,
            }
            for scenario in results.scenarios
        ],
        "skipped": results.skipped,
        "failures": results.failures,
        "summary": [asdict(row) for row in summarise(results.samples)],
        "duels": [asdict(duel) for duel in duels(results.samples, "A", "B")],
        "idle": [asdict(one) | {"cpu_us": one.cpu_us} for one in results.idle],
        "busy": [asdict(one) for one in results.busy],
        "stalled": [asdict(one) for one in results.stalled],
        "dribble": [asdict(one) for one in results.dribble],
        "reload": [asdict(one) | {"failed": one.failed} for one in results.reload],
        "preload": [asdict(one) for one in results.preload],
        "absent": results.absent,
        "syscalls": [
            {
                "server": server,
                "scenario": scenario,
                "by": count.by,
                "requests": count.requests,
                "per_request": count.per_request,
                "calls": dict(sorted(count.calls.items(), key=lambda item: -item[1])),
            }
            for (server, scenario), count in results.syscalls.items()
        ],
        "boot_seconds": {name: results.boots[name] for name in names if name in results.boots},
        "memory": [asdict(one) for one in results.memory],
        "micro": [asdict(one) for one in results.micro],
        "wsgi_call_us": results.wsgi_call_us,
        "curves": [asdict(point) | {"cpu_us": point.cpu_us} for point in results.curves],
        "samples": [asdict(sample) for sample in results.samples],
    }


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
