"""Samples of a server that does not exist."""

from __future__ import annotations

from typing import Any

from rgunicorn._core import HISTOGRAM_BOUNDS_NS
from rgunicorn.top.processes import Usage
from rgunicorn.top.reading import Sample

SECOND = 1_000_000_000
FACTS = {
    "pid": 7,
    "started_at_ns": 1_000 * SECOND,
    "workers": 2,
    "threads": 4,
    "max_queue": 0,
    "reloads": 0,
    "reload_failures": 0,
    "reload_failed": 0,
    "spawns": 2,
    "spawn_failures": 0,
    "boots": 2,
    "boot_time_ns": 3 * SECOND,
    "back_off": 0,
    "backlog": 2048,
    "version": 1_002_003,
}


def times(**counts: int) -> dict[str, Any]:
    """A histogram: `b0=3` are three in the first bucket. They took as long as its bound."""
    buckets = [0] * (len(HISTOGRAM_BOUNDS_NS) + 1)
    bounds = [*HISTOGRAM_BOUNDS_NS, HISTOGRAM_BOUNDS_NS[-1]]
    for name, n in counts.items():
        buckets[int(name[1:])] = n
    return {"buckets": buckets, "sum_ns": sum(n * bounds[i] for i, n in enumerate(buckets))}


def worker(slot: int = 0, **more: Any) -> dict[str, Any]:
    """A slot with a worker that has booted; `age=9` and so on change it, `room=None` takes a key
    away."""
    requests = more.get("requests", 0) or 0
    found = {
        "slot": slot,
        "alive": True,
        "pid": 100 + slot,
        "age": slot + 1,
        "claimed_ns": SECOND,
        "claimed_at_ns": 1_001 * SECOND,
        "booted_ns": 2 * SECOND,
        "respawns": 0,
        "room": 4,
        "running": 0,
        "busy_ns": 0,
        "queued": 0,
        "connections": {"reading": 0, "waiting": 0, "running": 0, "writing": 0, "idle": 0},
        "requests": 0,
        "own_requests": requests,
        "responses": {"1xx": 0, "2xx": requests, "3xx": 0, "4xx": 0, "5xx": 0},
        "events": {"exception": 0},
        "bytes_in": 0,
        "bytes_out": 0,
        "histograms": {"app": times()},
        **more,
    }
    return {key: value for key, value in found.items() if value is not None}


def request(path: bytes = b"/", age: float = 1.0, now: float = 10, **more: Any) -> dict[str, Any]:
    """A request that runs for `age` seconds at `now`."""
    return {
        "phase": "app",
        "method": b"GET",
        "path": path,
        "path_cut": False,
        "request_id": b"",
        "peer": b"127.0.0.1",
        "version": (1, 1),
        "started_ns": int((now - age) * SECOND),
        "deadline_ns": 0,
        "thread": 1,
        "tid": 5,
        "logged": False,
        "client_gone": False,
        "overdue": False,
        **more,
    }


def sample(
    *workers: dict[str, Any],
    now: float = 10,
    cpu: dict[int, float] | None = None,
    running: dict[int, list[dict[str, Any]]] | None = None,
    **facts: Any,
) -> Sample:
    """A server `now` seconds after the machine's start. `cpu`, `running`: by age."""
    snapshot: Any = {
        "now_ns": int(now * SECOND),
        "course": facts.pop("course", "serving"),
        "in_transit": 0,
        "server": {**FACTS, **facts},
        "ends": {"exit": 0, "reload": facts.get("reloads", 0)},
        "workers": list(workers),
    }
    usage = {age: Usage(1 << 24, None, seconds) for age, seconds in (cpu or {}).items()}
    empty: dict[int, list[Any]] = {it["age"]: [] for it in workers}
    return Sample(
        7, 1_000 + now, snapshot, "made", ("127.0.0.1:80",), usage, {**empty, **(running or {})}
    )
