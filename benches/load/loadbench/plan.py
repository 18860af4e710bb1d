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
    curve_connections: tuple[int, ...]
    curve_fields: tuple[int, ...]
    curve_bodies: tuple[int, ...]
    """Bytes."""
    curve_seconds: int
    """Of one point of a curve: whole ones, wrk's unit."""
    quick: bool
    """Only to see that everything runs: the numbers mean nothing."""

    @property
    def points(self) -> int:
        """Points of all curves of one server."""
        bodies = 3 * len(self.curve_bodies)
        return 2 * len(self.curve_connections) + len(self.curve_fields) + bodies
