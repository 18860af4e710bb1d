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
    dribblers: int = 200
    """Clients that send a request's head byte by byte."""
    reloads: int = 3

    def server_cores(self, scenario: Scenario) -> str:
        """Where the server runs, as taskset(1) reads it."""
        return self._both if scenario.workers > 1 else str(self.server_core)

    def client_cores(self, scenario: Scenario) -> str:
        """Where wrk runs: on the other core, or on both when the server has them."""
        return self._both if scenario.workers > 1 else str(self.client_core)

    @property
    def _both(self) -> str:
        return f"{self.server_core},{self.client_core}"
