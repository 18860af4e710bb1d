"""What a run measures with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """The same for every server."""

    rounds: int
    seconds: int
    """Of one timed run: whole ones, wrk's unit."""
    connections: int
    threads: int
    server_core: int
    client_core: int
    starts: int
    traced_requests: int
    idle: tuple[int, ...]
    """Numbers of idle connections to hold."""
    stalled: int
    """Clients that stall."""
    busy_workers: int
    busy_rounds: int
    busy_seconds: float
