"""What is run against what by default: each suite fits its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from loadbench.peer import Peer
from loadbench.scenarios import SCENARIOS, Scenario

PARTS = (
    "micro",
    "call",
    "timed",
    "idle",
    "busy",
    "stalled",
    "dribble",
    "reload",
    "syscalls",
    "boot",
    "memory",
    "preload",
    "curves",
)
# Parts in which no server takes part, or the same ones as in another.
_WITHOUT_SERVERS = ("timed", "syscalls", "micro", "call")


@dataclass(frozen=True)
class Suite:
    """Names of servers, scenarios and parts, with the numbers that make them bearable."""

    servers: tuple[str, ...]
    scenarios: tuple[str, ...]
    parts: tuple[str, ...]
    rounds: int
    seconds: float
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Servers of single parts or scenarios, where that is not all of them."""
    counted: tuple[str, ...] | None = None
    """Scenarios whose system calls are counted, where that is not all of them."""
    starts: int = 15
    idle: tuple[int, ...] = (1000, 5000)
    busy_rounds: int = 20

    def enters(self, peer: Peer, event: str) -> bool:
        """Whether `peer` takes part in the part or scenario `event`."""
        return peer.name in self.fields.get(event, self.servers)

    def counts(self, scenario: Scenario) -> bool:
        """Whether system calls are counted in `scenario`."""
        return self.counted is None or scenario.name in self.counted


_EVENTS = tuple(scenario.name for scenario in SCENARIOS)
_KA, _GTHREAD = "rgunicorn-sync-ka", "rgunicorn-gthread"
_OURS = (_KA, _GTHREAD)
_THREADED = (*_OURS, "gunicorn-gthread", "granian")
_LOOPS = ("fastpysgi", "fastwsgi", "bjoern")
_PYTHON = ("waitress", "cheroot")
# Bodies and frameworks: everybody but the kinds that close without having been asked to.
_BODIES = (*_OURS, "gunicorn-gthread", "gunicorn-gthread-fast", "granian", *_LOOPS, *_PYTHON)
_ALL = (
    "responder",
    "responder-wsgi",
    "rgunicorn-sync",
    *_OURS,
    "gunicorn-sync",
    "gunicorn-sync-fast",
    "gunicorn-gthread",
    "gunicorn-gthread-fast",
    "granian",
    "uwsgi",
    *_LOOPS,
    *_PYTHON,
)
_SYNC = ("rgunicorn-sync", "gunicorn-sync", "uwsgi")
_FIELDS = {
    "browser": tuple(name for name in _ALL if name != "rgunicorn-sync"),
    "keepalive": tuple(name for name in _ALL if name != "rgunicorn-sync"),
    "close": tuple(name for name in _ALL if name != "responder-wsgi"),
    "log-keepalive": (*_OURS, "gunicorn-gthread", "gunicorn-gthread-fast"),
    "log-close": (*_SYNC, _GTHREAD, "gunicorn-sync-fast", "gunicorn-gthread"),
    **dict.fromkeys(("large", "upload", "stream", "file"), _BODIES),
    **dict.fromkeys(("flask", "django"), (*_BODIES, "uwsgi")),
    "django-plain": (*_THREADED, "bjoern"),
    **dict.fromkeys(("flask-one", "django-one"), (*_OURS, "granian", "bjoern")),
    "tls-keepalive": (*_THREADED, "cheroot"),
    "tls-close": (*_SYNC, _GTHREAD, "gunicorn-gthread", "granian", "cheroot"),
    "four-keepalive": (*_THREADED, *_LOOPS),
    "four-close": (*_SYNC, _GTHREAD, "gunicorn-gthread", "granian", *_LOOPS),
    "idle": (*_THREADED, *_LOOPS, *_PYTHON),
    "busy": _THREADED,
    "stalled": (*_THREADED, "bjoern"),
    # Gunicorn's parser makes no difference there.
    "dribble": tuple(name for name in _ALL if not name.endswith("-fast")),
    "reload": tuple(name for name in _ALL if not name.endswith("-fast")),
    "preload": tuple(name for name in _ALL if not name.endswith(("-fast", "-ka"))),
    "curves": _THREADED,
}
_COUNTED = (
    "close",
    "keepalive",
    "browser",
    "log-keepalive",
    "sleep10",
    "large",
    "upload",
    "stream",
    "file",
    "flask",
)
# Ours, Gunicorn, and who comes nearest to us in that scenario.
_NEAREST = {
    "close": (*_SYNC, _GTHREAD, "gunicorn-gthread", "bjoern"),
    "keepalive": ("responder", *_THREADED, "gunicorn-sync", "fastpysgi", "fastwsgi"),
    "browser": ("responder", *_THREADED, "gunicorn-sync", "fastpysgi", "fastwsgi"),
    "log-close": ("rgunicorn-sync", "gunicorn-sync", "uwsgi"),
    "log-keepalive": (*_OURS, "gunicorn-gthread"),
    "sleep10": (_GTHREAD, "gunicorn-gthread", "granian"),
    "large": (*_OURS, "gunicorn-gthread", "granian", "fastpysgi"),
    "upload": (*_OURS, "gunicorn-gthread", "granian", "fastpysgi"),
    "stream": (*_OURS, "gunicorn-gthread", "granian", "bjoern"),
    "file": (*_OURS, "gunicorn-gthread", "bjoern"),
    "flask": (*_OURS, "gunicorn-gthread", "granian", "bjoern"),
    "django": (*_OURS, "gunicorn-gthread", "granian", "bjoern"),
    "django-plain": (*_OURS, "gunicorn-gthread", "granian", "bjoern"),
    "flask-one": (_KA, "gunicorn-gthread", "bjoern"),
    "django-one": (_KA, "gunicorn-gthread", "bjoern"),
    "tls-keepalive": (_GTHREAD, "gunicorn-gthread", "granian"),
    "tls-close": (_GTHREAD, "gunicorn-gthread", "granian"),
    "four-keepalive": (*_OURS, "gunicorn-gthread", "granian", "fastpysgi"),
    "four-close": ("rgunicorn-sync", "gunicorn-sync", "uwsgi"),
    "dribble": ("rgunicorn-sync", *_THREADED),
    "reload": ("rgunicorn-sync", *_OURS, "gunicorn-gthread"),
}

SUITES = {
    "threads": Suite(
        servers=("responder", *_THREADED, *_LOOPS),
        scenarios=("keepalive", "sleep10", "large", "upload", "stream", "file"),
        parts=("timed", "idle", "busy", "stalled", "syscalls"),
        rounds=3,
        seconds=2,
        fields={
            **dict.fromkeys(("large", "upload", "stream", "file"), (*_THREADED, *_LOOPS)),
            "idle": _THREADED,
            "busy": _THREADED,
            "stalled": (*_THREADED, "bjoern"),
        },
    ),
    "sync": Suite(
        servers=(
            "responder",
            "rgunicorn-sync",
            _KA,
            "gunicorn-sync",
            "granian",
            "uwsgi",
            *_LOOPS,
        ),
        scenarios=("close", "keepalive", "browser", "log-close", "log-keepalive"),
        parts=("timed", "syscalls", "boot", "memory"),
        rounds=4,
        seconds=4,
    ),
    "ours": Suite(
        servers=_ALL,
        scenarios=_EVENTS,
        parts=("call", "timed", "dribble", "reload"),
        rounds=3,
        seconds=1,
        fields=_NEAREST,
    ),
    "all": Suite(
        servers=_ALL,
        scenarios=_EVENTS,
        parts=PARTS,
        rounds=3,
        seconds=1,
        fields=_FIELDS,
        counted=_COUNTED,
        starts=5,
        idle=(1000,),
        busy_rounds=10,
    ),
}
# Two builds of our own against each other.
AB = Suite(
    servers=("A", "B"), scenarios=("keepalive", "sleep10"), parts=("timed",), rounds=8, seconds=3
)


def chosen(suite: Suite, servers: list[str]) -> Suite:
    """`suite` with servers that were asked for by name: they take part in everything they can."""
    return replace(suite, servers=tuple(servers), fields={})


def why_not(peer: Peer, scenario: Scenario) -> str | None:
    """What keeps `peer` from running `scenario` at all; None when nothing does."""
    if peer.is_floor and (
        scenario.app != "hello:app"
        or scenario.access_log
        or scenario.tls
        or scenario.workers > 1
        or scenario.threads
    ):
        return "has one fixed answer"
    if scenario.threads and not peer.has_threads:
        return "calls the application in one thread"
    if scenario.access_log and not peer.has_access_log:
        return "writes no access log by itself"
    if scenario.tls and not peer.has_tls:
        return "speaks no TLS"
    if scenario.workers > 1 and not peer.has_workers:
        return "is one process"
    return peer.lacks_frameworks if scenario.framework else None


def why_not_part(peer: Peer, part: str) -> str | None:
    """The same for a part that is not a scenario."""
    if peer.is_floor:
        return "has one fixed answer"
    if part == "reload" and peer.reload_signal is None:
        return "has no signal that reloads it"
    if part in ("memory", "busy", "preload") and not peer.has_workers:
        return "is one process"
    if part == "preload":
        return peer.lacks_frameworks
    if part in ("boot", "memory") and peer.variant_of is not None:
        return f"starts as {peer.variant_of} does"
    return None


def absent(
    suite: Suite, peers: list[Peer], scenarios: list[Scenario], parts: Sequence[str]
) -> list[dict[str, str]]:
    """Who does not take part in what, and why: `event`, `server`, `why`."""
    found = []
    events: list[Scenario | str] = [*scenarios] if "timed" in parts else []
    events += [part for part in parts if part not in _WITHOUT_SERVERS]
    for event in events:
        name = event if isinstance(event, str) else event.name
        for peer in peers:
            can_not = why_not_part(peer, event) if isinstance(event, str) else why_not(peer, event)
            is_in = suite.enters(peer, name)
            why = can_not or (None if is_in else "is not in this suite's field")
            if why is not None:
                found.append({"event": name, "server": peer.name, "why": why})
    return found
