"""Hello with one to sixty-four header fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from loadbench.answers import verify
from loadbench.curves.point import Point
from loadbench.peer import Peer
from loadbench.plan import Plan
from loadbench.scenarios import HELLO_KEPT, Scenario
from loadbench.server import Server
from loadbench.timed import loaded
from loadbench.wrk import run_wrk


def field_curve(peer: Peer, plan: Plan) -> Iterator[Point]:
    """Points of `fields` for each of `plan.curve_fields`."""
    short = replace(plan, seconds=plan.curve_seconds)
    with Server(peer, plan.server_core, threads=plan.threads) as server:
        run_wrk(server.port, HELLO_KEPT, plan.client_core, plan.connections, 1)
        for count in plan.curve_fields:
            scenario = with_fields(count)
            load = loaded(server, scenario, short, verify(server.port, scenario)[0])
            yield Point(
                curve="fields",
                server=peer.name,
                x=count,
                requests=load.requests,
                seconds=load.seconds,
                user_s=load.user_s,
                system_s=load.system_s,
                p50_ms=load.p50_ms,
                p99_ms=load.p99_ms,
                peak_bytes=None,
            )


def with_fields(count: int) -> Scenario:
    """Hello with `count` fields: Host, and others of 34 bytes whose names no server knows."""
    fields = tuple((f"X-Field-{number:02}", "0123456789abcdefghij") for number in range(1, count))
    return replace(HELLO_KEPT, name=f"fields-{count}", headers=fields)
