"""What a run measures with."""

from __future__ import annotations

from dataclasses import dataclass

from loadbench.scenarios import Scenario


@dataclass(frozen=True)
class Plan:
    """The same for every server."""

    rounds: int
    seconds: float
    """Of one timed run."""
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
    curve_seconds: float
    """Of one point of a curve."""
    quick: bool
    """Only to see that everything runs: the numbers mean nothing."""
    dribblers: int = 200
    """Clients that send a request's head byte by byte."""
    reloads: int = 3

    @property
    def points(self) -> int:
        """Points of all curves of one server."""
        bodies = 3 * len(self.curve_bodies)
        return 2 * len(self.curve_connections) + len(self.curve_fields) + bodies

    def server_cores(self, scenario: Scenario) -> str:
        """Where the server runs, as taskset(1) reads it."""
        return self._both if scenario.workers > 1 else str(self.server_core)

    def client_cores(self, scenario: Scenario) -> str:
        """Where wrk runs: on the other core, or on both when the server has them."""
        return self._both if scenario.workers > 1 else str(self.client_core)

    @property
    def _both(self) -> str:
        return f"{self.server_core},{self.client_core}"
