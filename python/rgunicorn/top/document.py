"""A server as one JSON document: `rgunicorn stats --json`, and what the table and the screen show.

Pure: one sample, or two for what happens per second. What nobody tells is no key. All keys are in
docs/observability/top.md.
"""

from __future__ import annotations

from collections import Counter

from rgunicorn.top.times import Times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from rgunicorn.top.reading import Sample

    # A slot, a request: as `_core.pyi` has them; keys are variables here.
    WorkerView = Mapping[str, Any]
    Sighting = Mapping[str, Any]

FORMAT = 1

# Facts of the server by their names on the scoreboard, as they are.
_FACTS = ("threads", "backlog", "max_queue", "reloads", "reload_failures")
_MORE_FACTS = ("spawns", "spawn_failures", "boots")
_GAUGES = ("running", "room", "queued")
_COUNTERS = ("requests", "bytes_in", "bytes_out")


def document(sample: Sample, before: Sample | None = None) -> dict[str, Any]:
    """The document.

    Args:
        sample: the server now.
        before: the same server, earlier: with it there are rates.
    """
    snapshot: Mapping[str, Any] = sample.snapshot
    found: dict[str, Any] = {"format": FORMAT, "at": sample.at}
    # Shorter, nothing can be said per second.
    seconds = 0.0
    earlier: dict[int, WorkerView] = {}
    if before is not None:
        seconds = (snapshot["now_ns"] - before.snapshot["now_ns"]) / 1e9
        earlier = {worker["slot"]: worker for worker in before.snapshot["workers"]}
    if seconds > 0:
        found["interval"] = seconds
    found["server"] = _server(sample)
    workers = snapshot["workers"]
    found["totals"] = _totals(workers)
    if before is not None and seconds > 0:
        found["rates"] = _rates(workers, earlier, seconds)
        cpu = [
            share
            for worker in workers
            if (share := _cpu(worker, sample, before, seconds)) is not None
        ]
        if cpu:
            found["rates"]["cpu"] = sum(cpu)
    found["workers"] = [_worker(worker, sample, before, earlier, seconds) for worker in workers]
    return found


def _server(sample: Sample) -> dict[str, Any]:
    snapshot: Mapping[str, Any] = sample.snapshot
    facts, workers = snapshot["server"], snapshot["workers"]
    found: dict[str, Any] = {"pid": sample.pid, "command": sample.command}
    if number := facts["version"]:
        found["version"] = f"{number // 10**6}.{number // 1000 % 1000}.{number % 1000}"
    if facts["started_at_ns"]:
        found["started_at"] = facts["started_at_ns"] / 1e9
        found["uptime"] = max(0.0, sample.at - found["started_at"])
    if sample.addresses:
        found["addresses"] = list(sample.addresses)
    found["course"] = snapshot["course"]
    found["workers_wanted"] = facts["workers"]
    found["workers_alive"] = sum(worker["alive"] for worker in workers)
    found["workers_ready"] = sum(worker["alive"] and "booted_ns" in worker for worker in workers)
    found |= {name: facts[name] for name in _FACTS}
    found["reload_failed"] = bool(facts["reload_failed"])
    found |= {name: facts[name] for name in _MORE_FACTS}
    if facts["boots"]:
        found["boot_time_mean"] = facts["boot_time_ns"] / facts["boots"] / 1e9
    found["backs_off"] = bool(facts["back_off"])
    found["in_transit"] = snapshot["in_transit"]
    found["ends"] = dict(snapshot["ends"])
    return found


def _totals(workers: Iterable[WorkerView]) -> dict[str, Any]:
    """All slots together: counted since the server's start, gauges of those that live."""
    workers = list(workers)
    found: dict[str, Any] = {}
    for name in _COUNTERS:
        values = [worker[name] for worker in workers if name in worker]
        if values:
            found[name] = sum(values)
    for name in ("responses", "events"):
        if counts := _added(worker.get(name) for worker in workers):
            found[name] = counts
    living = [worker for worker in workers if worker["alive"]]
    for name in _GAUGES:
        values = [worker[name] for worker in living if name in worker]
        if values:
            found[name] = sum(values)
    if counts := _added(worker.get("connections") for worker in living):
        found["connections"] = counts
    found["times"] = {name: it.document() for name, it in _all_times(workers).items()}
    return found


def _rates(
    workers: Iterable[WorkerView], earlier: Mapping[int, WorkerView], seconds: float
) -> dict[str, Any]:
    """What the slots have done since `earlier`, per second; the times of these requests."""
    workers = list(workers)
    found: dict[str, Any] = {}
    for name in _COUNTERS:
        if any(name in worker for worker in workers):
            now = sum(worker.get(name, 0) for worker in workers)
            then = sum(worker.get(name, 0) for worker in earlier.values())
            found[name] = max(0, now - then) / seconds
    for name in ("responses", "events"):
        now = _added(worker.get(name) for worker in workers)
        then = _added(worker.get(name) for worker in earlier.values())
        if now:
            found[name] = {key: max(0, n - then.get(key, 0)) / seconds for key, n in now.items()}
    spent = room = 0.0
    for worker in workers:
        if worker["alive"] and "busy_ns" in worker and worker.get("room"):
            was = earlier.get(worker["slot"])
            same = was is not None and was["age"] == worker["age"]
            spent += (
                max(0, worker["busy_ns"] - (was.get("busy_ns", 0) if same and was else 0)) / 1e9
            )
            room += worker["room"]
    if room:
        found["utilisation"] = min(1.0, spent / seconds / room)
    before = _all_times(earlier.values())
    found["times"] = {
        name: it.since(before.get(name)).document() for name, it in _all_times(workers).items()
    }
    return found


def _worker(
    worker: WorkerView,
    sample: Sample,
    before: Sample | None,
    earlier: Mapping[int, WorkerView],
    seconds: float,
) -> dict[str, Any]:
    now_ns = sample.snapshot["now_ns"]
    found: dict[str, Any] = {"slot": worker["slot"], "state": _state(worker)}
    if worker["alive"]:
        if worker["pid"]:
            found["pid"] = worker["pid"]
        found["serial"] = worker["age"]
        found["started_at"] = worker["claimed_at_ns"] / 1e9
        found["age"] = max(0, now_ns - worker["claimed_ns"]) / 1e9
        if "booted_ns" in worker:
            found["boot_time"] = max(0, worker["booted_ns"] - worker["claimed_ns"]) / 1e9
        if "heartbeat_ns" in worker:
            found["heartbeat_age"] = max(0, now_ns - worker["heartbeat_ns"]) / 1e9
        if "wish" in worker:
            found["wish"] = worker["wish"]
        if "own_requests" in worker:
            found["own_requests"] = worker["own_requests"]
        if "busy_ns" in worker:
            found["busy"] = worker["busy_ns"] / 1e9
        found |= _usage(worker, sample)
    found["restarts"] = worker["respawns"]
    found |= _totals([worker])
    if before is not None and seconds > 0:
        was = earlier.get(worker["slot"])
        found["rates"] = _rates([worker], {was["slot"]: was} if was else {}, seconds)
        if (cpu := _cpu(worker, sample, before, seconds)) is not None:
            found["rates"]["cpu"] = cpu
    if worker["alive"] and worker["age"] in sample.running:
        sightings = sorted(sample.running[worker["age"]], key=lambda it: it["started_ns"])
        found["current"] = [_request(it, now_ns) for it in sightings]
    return found


def _state(worker: WorkerView) -> str:
    if not worker["alive"]:
        return "gone"
    if "booted_ns" not in worker:
        return "booting"
    if "running" not in worker:
        return "up"
    return "busy" if worker["running"] else "idle"


def _usage(worker: WorkerView, sample: Sample) -> dict[str, Any]:
    usage = sample.usage.get(worker["age"])
    if usage is None:
        return {}
    values = {"rss": usage.rss, "pss": usage.pss, "cpu_time": usage.cpu}
    return {name: value for name, value in values.items() if value is not None}


def _cpu(worker: WorkerView, sample: Sample, before: Sample, seconds: float) -> float | None:
    """CPUs that it has kept busy since: 1.0 is one of them."""
    now, then = sample.usage.get(worker["age"]), before.usage.get(worker["age"])
    if not worker["alive"] or now is None or now.cpu is None:
        return None
    if then is not None and then.cpu is not None:
        return max(0.0, now.cpu - then.cpu) / seconds
    # Forked since.
    return now.cpu / seconds if worker["claimed_ns"] >= before.snapshot["now_ns"] else None


def _request(sighting: Sighting, now_ns: int) -> dict[str, Any]:
    """One that runs. Texts are what a client has sent, or garbage: Latin-1, as in the environ."""
    found: dict[str, Any] = {
        "method": sighting["method"].decode("latin-1"),
        "path": sighting["path"].decode("latin-1"),
        "phase": sighting["phase"],
        # Another worker may have begun it after the snapshot.
        "age": max(0, now_ns - sighting["started_ns"]) / 1e9,
        "thread": sighting["tid"],
    }
    for name in ("peer", "request_id"):
        if octets := sighting[name]:
            found[name] = octets.decode("latin-1")
    if sighting["deadline_ns"]:
        found["deadline_in"] = (sighting["deadline_ns"] - now_ns) / 1e9
    for flag in ("path_cut", "overdue", "client_gone"):
        if sighting[flag]:
            found[flag] = True
    return found


def _added(counts: Iterable[Mapping[str, int] | None]) -> dict[str, int]:
    added: Counter[str] = Counter()
    for it in counts:
        for name, n in (it or {}).items():
            added[name] += n
    return dict(added)


def _all_times(workers: Iterable[WorkerView]) -> dict[str, Times]:
    found: dict[str, Times] = {}
    for worker in workers:
        for name, view in worker["histograms"].items():
            found[name] = found.get(name, Times()) + Times.of(view)
    return found
