"""Hello with ten to ten thousand connections: most of them idle, and all of them active."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from collections.abc import Iterator
from dataclasses import replace

from loadbench import procfs
from loadbench.crowd import settled
from loadbench.curves.point import Point
from loadbench.errors import BenchError
from loadbench.install import build_crowd
from loadbench.peer import Peer
from loadbench.plan import Plan
from loadbench.server import Server

# Room for the listener, logs, a check meanwhile.
_SPARE = 512
_WARM_S = 0.5
_LIMIT_S = 90
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def connection_curve(peer: Peer, plan: Plan) -> Iterator[Point]:
    """Points of `open` and `active` for each of `plan.curve_connections`."""
    most = max(plan.curve_connections)
    allow_files(most + _SPARE)
    room = most + _SPARE
    with Server(peer, plan.server_core, threads=plan.threads, connections=room) as server:
        before = procfs.socket_count(server.pids)
        for number, connections in enumerate(plan.curve_connections):
            few = min(connections, plan.connections)
            point = _load(server, plan, connections, few, 2 * number)
            yield point
            if few < connections:
                _await_gone(server, before)
                yield _load(server, plan, connections, connections, 2 * number + 1)
            else:
                yield replace(point, curve="active")
            _await_gone(server, before)


def allow_files(count: int) -> None:
    """Raises the limit of open files for this process and those that it starts.

    Raises BenchError when the hard limit is lower and may not be raised.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        wanted = hard if hard == resource.RLIM_INFINITY else max(hard, count)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, wanted))
        except (ValueError, OSError) as error:
            raise BenchError(
                f"{count} open files are needed, the limit is {hard}: raise it with `ulimit -Hn`"
            ) from error


def _load(server: Server, plan: Plan, connections: int, active: int, number: int) -> Point:
    # Every run has addresses of its own, so that no port of the run before is in TIME_WAIT.
    source = f"127.{100 + server.port % 100}.{number}.1"
    command = ["taskset", "-c", str(plan.client_core), str(build_crowd())]
    command += [f"127.0.0.1:{server.port}", source, str(connections), str(active)]
    command += [str(_WARM_S), str(plan.curve_seconds), *map(str, server.pids)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    if done.returncode != 0:
        raise BenchError(f"{connections} connections: {done.stderr.strip()}")
    said = json.loads(done.stdout)
    if not said["requests"]:
        raise BenchError(f"{connections} connections, {active} active: nothing was answered")
    return Point(
        curve="active" if active == connections > plan.connections else "open",
        server=server.name,
        x=connections,
        requests=said["requests"],
        seconds=said["seconds"],
        user_s=said["user_ticks"] * _TICK_S,
        system_s=said["system_ticks"] * _TICK_S,
        p50_ms=said["p50_us"] / 1e3,
        p99_ms=said["p99_us"] / 1e3,
        peak_bytes=None,
    )


def _await_gone(server: Server, before: int) -> None:
    """The server has closed what the last crowd left: that is not the next one's cost."""
    settled(lambda: before - procfs.socket_count(server.pids), 0)
