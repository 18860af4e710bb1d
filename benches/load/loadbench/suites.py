"""What is run against what by default: each suite fits its time."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadbench.peer import Peer
from loadbench.scenarios import SCENARIOS, Scenario

PARTS = (
    *("micro", "call", "timed", "idle", "busy", "stalled", "syscalls", "boot", "memory"),
    "curves",
)


@dataclass(frozen=True)
class Suite:
    """Names of servers, scenarios and parts, with the rounds that make them bearable."""

    servers: tuple[str, ...]
    scenarios: tuple[str, ...]
    parts: tuple[str, ...]
    rounds: int
    seconds: int
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Servers of single parts or scenarios, where that is not all of them."""

    def enters(self, peer: Peer, event: str) -> bool:
        """Whether `peer` takes part in the part or scenario `event`."""
        return peer.name in self.fields.get(event, self.servers)


_EVENTS = tuple(scenario.name for scenario in SCENARIOS)
_OURS = ("rgunicorn-sync-ka", "rgunicorn-gthread")
_THREADED = (*_OURS, "gunicorn-gthread", "granian")
_BODIES = (*_THREADED, "fastpysgi", "bjoern")
_ALL = (
    "responder",
    "rgunicorn-sync",
    *_OURS,
    "gunicorn-sync",
    "gunicorn-gthread",
    "granian",
    "uwsgi",
    "fastpysgi",
    "fastwsgi",
    "bjoern",
)
_FIELDS = {
    "large": _BODIES,
    "upload": _BODIES,
    "stream": _BODIES,
    "file": _BODIES,
    "idle": _THREADED,
    "busy": _THREADED,
    "stalled": (*_THREADED, "bjoern"),
    "curves": _THREADED,
}

SUITES = {
    "threads": Suite(
        servers=("responder", *_THREADED, "fastpysgi", "fastwsgi", "bjoern"),
        scenarios=("keepalive", "sleep10", "large", "upload", "stream", "file"),
        parts=("timed", "idle", "busy", "stalled", "syscalls"),
        rounds=3,
        seconds=2,
        fields=_FIELDS,
    ),
    "sync": Suite(
        servers=tuple(name for name in _ALL if not name.endswith("gthread")),
        scenarios=("close", "keepalive", "browser", "log-close", "log-keepalive"),
        parts=("timed", "syscalls", "boot", "memory"),
        rounds=4,
        seconds=4,
    ),
    "all": Suite(_ALL, _EVENTS, PARTS, rounds=4, seconds=3, fields=_FIELDS),
}
# Two builds of our own against each other.
AB = Suite(
    servers=("A", "B"), scenarios=("keepalive", "sleep10"), parts=("timed",), rounds=8, seconds=3
)


def chosen(suite: Suite, servers: list[str]) -> Suite:
    """`suite` with servers that were asked for by name: they take part in everything they can."""
    return Suite(tuple(servers), suite.scenarios, suite.parts, suite.rounds, suite.seconds)


def can(peer: Peer, scenario: Scenario) -> bool:
    """Whether `peer` can run `scenario` at all."""
    if scenario.threads and not peer.has_threads:
        return False
    if scenario.access_log and not peer.has_access_log:
        return False
    return not peer.is_floor or (scenario.app == "hello:app" and not scenario.access_log)
