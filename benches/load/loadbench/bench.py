"""Takes the measurements, in turns, and writes down what fails."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from loadbench.answers import verify
from loadbench.busy import Busy, busy
from loadbench.curves.bodies import body_curve
from loadbench.curves.connections import connection_curve
from loadbench.curves.fields import field_curve
from loadbench.curves.point import Point
from loadbench.dribble import Dribble, dribble
from loadbench.errors import BenchError
from loadbench.floor import wsgi_call_us
from loadbench.forecast import Forecast
from loadbench.idle import Idle, idle
from loadbench.memory import Memory, memory_of
from loadbench.micro import Micro, run_micro
from loadbench.peer import Peer
from loadbench.plan import Plan
from loadbench.reload import Reload, reload_under_load
from loadbench.scenarios import DJANGO, Scenario
from loadbench.server import Server
from loadbench.stalled import KINDS, Stalled, stalled
from loadbench.suites import Suite, why_not, why_not_part
from loadbench.syscalls import SyscallCount, count_syscalls
from loadbench.timed import Sample, timed

Progress = Callable[[str], None]

# Attaching to many threads takes longer than the 2 s for which Gunicorn keeps a connection.
_TRACED_ROOM = 1024
# For the forecast: seconds around a timed run (start, check, warm-up, stop), and of one server's
# turn in each part.
_AROUND_S = 0.9
_IDLE_S, _STALLED_S, _TRACED_S, _BOOT_S, _MEMORY_S = 8.0, 4.0, 1.6, 0.5, 3.0
_DRIBBLE_S, _RELOAD_S, _PRELOAD_S = 3.0, 9.0, 4.0
_MICRO_S, _CALL_S, _POINT_S = 30.0, 4.0, 1.8
_CURVES = (connection_curve, field_curve, body_curve)


class Bench:
    """What fails is written down in `failures` and the rest goes on."""

    def __init__(
        self,
        peers: list[Peer],
        scenarios: list[Scenario],
        suite: Suite,
        plan: Plan,
        progress: Progress,
    ) -> None:
        self._peers = peers
        self._scenarios = scenarios
        self._suite = suite
        self._plan = plan
        self._say = progress
        self._forecast = Forecast(0.0)
        self.failures: list[str] = []

    def forecast_s(self, parts: Sequence[str]) -> float:
        """About how long `parts` will take, in seconds."""
        return sum(self._turn_s(part) * self._turns(part) for part in parts)

    def begin(self, parts: Sequence[str]) -> None:
        """From now on each line of progress says how much of `parts` is left."""
        self._forecast = Forecast(self.forecast_s(parts))

    def _turn_s(self, part: str) -> float:
        """What one server's turn in `part` is thought to take."""
        plan = self._plan
        return {
            "timed": plan.seconds + _AROUND_S,
            "idle": _IDLE_S + plan.seconds,
            "busy": plan.busy_rounds * plan.busy_seconds * 1.3 + _AROUND_S,
            "stalled": _STALLED_S,
            "dribble": _DRIBBLE_S + 2 * plan.seconds,
            "reload": _RELOAD_S,
            "syscalls": _TRACED_S,
            "boot": _BOOT_S,
            "memory": _MEMORY_S,
            "preload": _PRELOAD_S,
            "micro": _MICRO_S,
            "call": _CALL_S,
            "curves": plan.points * _POINT_S / len(_CURVES),
        }[part]

    def _turns(self, part: str) -> int:
        plan, field = self._plan, len(self._field(part))
        return {
            "timed": len(list(self._pairs())) * plan.rounds,
            "idle": field * len(plan.idle),
            "busy": field * 2,
            "stalled": field * len(KINDS),
            "syscalls": len(list(self._counted())),
            "boot": field * (plan.starts + 1),
            "preload": len(list(self._preloads())),
            "micro": 1,
            "call": 1,
            "curves": field * len(_CURVES),
        }.get(part, field)

    def _progress(self, line: str) -> None:
        left = self._forecast.left_s()
        self._say(f"{left / 60:4.1f} min left  {line}")

    def without_python(self) -> list[Micro]:
        """The Rust benchmarks, on the server's core."""
        found: list[Micro] = []
        with self._attempt("micro", "micro"):
            found = run_micro(self._plan.server_core, quick=self._plan.quick)
            for one in found:
                self._progress(f"micro {one.bench:9} {one.name:40} {one.median_ns:10,.1f} ns")
        return found

    def wsgi_call(self) -> dict[str, float]:
        """CPU microseconds of one WSGI call without a server, by request."""
        found: dict[str, float] = {}
        with self._attempt("call", "call"):
            found = wsgi_call_us(self._plan.server_core, 0.2 if self._plan.quick else _CALL_S)
            said = ", ".join(f"{name} {cost:.2f} µs" for name, cost in found.items())
            self._progress(f"a WSGI call without a server: {said}")
        return found

    def timed_rounds(self) -> list[Sample]:
        """Every server in every scenario once per round, every second round in opposite order.

        A machine that gets slower or faster meanwhile does so for all of them, and nobody always
        runs after the same neighbour.
        """
        samples = []
        rounds = self._plan.rounds
        for number in range(rounds):
            for scenario, peer in self._pairs(backwards=number % 2 == 1):
                with self._attempt("timed", f"round {number + 1} {scenario.name} {peer.name}"):
                    sample = timed(peer, scenario, self._plan, number)
                    samples.append(sample)
                    errors = f"  socket errors: {sample.socket_errors}"
                    self._progress(
                        f"round {number + 1}/{rounds} {scenario.name:14} {peer.name:21} "
                        f"{sample.requests / sample.seconds:8.0f} req/s "
                        f"{sample.cpu_us:7.2f} µs CPU/req{errors if sample.socket_errors else ''}"
                    )
        return samples

    def idle_crowds(self) -> list[Idle]:
        """hello with each number of idle connections held open."""
        found = []
        for number, connections in enumerate(self._plan.idle):
            field = self._field("idle")
            for peer in field if number % 2 == 0 else field[::-1]:
                with self._attempt("idle", f"idle {connections} {peer.name}"):
                    one = idle(peer, connections, self._plan)
                    if one is None:
                        continue  # it keeps no connection
                    found.append(one)
                    self._progress(
                        f"idle {connections:5} {peer.name:21} held {one.held}, "
                        f"{one.pss_bytes / connections:6.0f} bytes each, "
                        f"{one.cpu_us:7.2f} µs CPU/req, answered after {one.answered}"
                    )
        return found

    def dispatch(self) -> list[Busy]:
        """Requests that waited behind a busy worker, on new and on kept-alive connections."""
        found = []
        field = self._field("busy")
        for kept_alive in (False, True):
            for peer in field[::-1] if kept_alive else field:
                with self._attempt("busy", f"busy {peer.name}"):
                    one = busy(peer, self._plan, kept_alive=kept_alive)
                    if kept_alive and not one.kept_alive:
                        continue  # it closes: the same as before
                    found.append(one)
                    self._progress(
                        f"busy {'kept-alive' if kept_alive else 'new':10} {peer.name:21} "
                        f"waited {one.waited} of {one.requests}, at most {one.most_ms:.0f} ms"
                    )
        return found

    def stalling(self) -> list[Stalled]:
        """Memory per client that stalls, by kind."""
        found = []
        for number, kind in enumerate(KINDS):
            field = self._field("stalled")
            for peer in field if number % 2 == 0 else field[::-1]:
                with self._attempt("stalled", f"stalled {kind} {peer.name}"):
                    one = stalled(peer, kind, self._plan)
                    found.append(one)
                    self._progress(
                        f"stalled {kind:11} {peer.name:21} held {one.held} of {one.clients}, "
                        f"{one.pss_bytes / max(1, one.held) / 1024:7.1f} KiB each, honest client "
                        f"{'served' if one.honest else 'NOT served'}"
                    )
        return found

    def dribbling(self) -> list[Dribble]:
        """An honest client alone, and among those that send their heads byte by byte."""
        found = []
        for peer in self._field("dribble"):
            with self._attempt("dribble", f"dribble {peer.name}"):
                one = dribble(peer, self._plan)
                found.append(one)
                among = "not served" if one.among_p99_ms is None else f"{one.among_p99_ms:.3f} ms"
                self._progress(
                    f"dribble {peer.name:21} p99 alone {one.alone_p99_ms:.3f} ms, "
                    f"among {one.clients}: {among}"
                )
        return found

    def reloads(self) -> list[Reload]:
        """Requests that fail while the application is loaded anew."""
        found = []
        for peer in self._field("reload"):
            with self._attempt("reload", f"reload {peer.name}"):
                one = reload_under_load(peer, self._plan)
                found.append(one)
                self._progress(
                    f"reload {peer.name:21} {one.reloads} in {one.seconds:.1f} s: "
                    f"{one.failed} of {one.kept_requests + one.closing_requests} requests failed"
                )
        return found

    def preloading(self) -> list[Memory]:
        """PSS of 4 workers with Django's hello, imported after the fork and before it."""
        found = []
        for peer, preload in self._preloads():
            with self._attempt("preload", f"preload {preload} {peer.name}"):
                one = memory_of(peer, self._plan, DJANGO, preload=preload)
                found.append(one)
                self._progress(
                    f"Django {peer.name:21} {one.bytes / 2**20:6.1f} MiB "
                    f"{'with' if preload else 'without'} preload"
                )
        return found

    def syscall_counts(self) -> dict[tuple[str, str], SyscallCount]:
        """System calls per request by (server, scenario)."""
        counts = {}
        plan = self._plan
        for scenario, peer in self._counted():
            with (
                self._attempt("syscalls", f"syscalls {scenario.name} {peer.name}"),
                Server(
                    peer,
                    plan.server_cores(scenario),
                    scenario,
                    workers=scenario.workers,
                    threads=plan.threads,
                    connections=_TRACED_ROOM,
                ) as server,
            ):
                server.await_workers(scenario.workers)
                verify(server.port, scenario)
                count = count_syscalls(server, scenario, plan)
                counts[peer.name, scenario.name] = count
                calls = f"{count.per_request:6.2f} calls/req"
                self._progress(f"{count.by:6} {scenario.name:14} {peer.name:21} {calls}")
        return counts

    def boot_times(self) -> dict[str, list[float]]:
        """Seconds from start to first response, `starts` of them per server, taken in turns."""
        own = self._field("boot")
        times: dict[str, list[float]] = {}
        for peer in own:
            # Not counted: the first start writes the .pyc files and fills the page cache.
            with self._attempt("boot", f"boot {peer.name}"), Server(peer, self._plan.server_core):
                times[peer.name] = []
        own = [peer for peer in own if peer.name in times]
        for number in range(self._plan.starts):
            for peer in own if number % 2 == 0 else own[::-1]:
                with (
                    self._attempt("boot", f"boot {peer.name}"),
                    Server(peer, self._plan.server_core) as server,
                ):
                    times[peer.name].append(server.boot_seconds)
            self._progress(f"boot {number + 1}/{self._plan.starts}")
        return times

    def memory_use(self) -> list[Memory]:
        """PSS of master and 4 workers after requests, once it stands still."""
        use = []
        for peer in self._field("memory"):
            with self._attempt("memory", f"memory {peer.name}"):
                memory = memory_of(peer, self._plan)
                use.append(memory)
                mebibytes = memory.bytes / 2**20
                self._progress(
                    f"memory {peer.name:21} {mebibytes:6.1f} MiB in {memory.processes} processes"
                )
        return use

    def curves(self) -> list[Point]:
        """CPU per request as connections, header fields and bodies grow."""
        points = []
        for measure in _CURVES:
            for peer in self._field("curves"):
                with self._attempt("curves", f"{measure.__name__} {peer.name}"):
                    for point in measure(peer, self._plan):
                        points.append(point)
                        peak = point.peak_bytes
                        self._progress(
                            f"curve {point.curve:8} {peer.name:21} {point.x:13,} "
                            f"{point.cpu_us:12,.2f} µs CPU/req"
                            f"{f', at most {peak / 2**20:,.1f} MiB' if peak else ''}"
                        )
        return points

    def _field(self, part: str) -> list[Peer]:
        return [
            peer
            for peer in self._peers
            if self._suite.enters(peer, part) and why_not_part(peer, part) is None
        ]

    def _preloads(self) -> Iterator[tuple[Peer, bool]]:
        for peer in self._field("preload"):
            for preload in peer.preloads:
                yield peer, preload

    def _counted(self) -> Iterator[tuple[Scenario, Peer]]:
        return (pair for pair in self._pairs() if self._suite.counts(pair[0]))

    def _pairs(self, *, backwards: bool = False) -> Iterator[tuple[Scenario, Peer]]:
        for scenario in self._scenarios:
            for peer in self._peers[::-1] if backwards else self._peers:
                if self._suite.enters(peer, scenario.name) and why_not(peer, scenario) is None:
                    yield scenario, peer

    @contextmanager
    def _attempt(self, part: str, what: str) -> Iterator[None]:
        try:
            yield
        except (BenchError, OSError, subprocess.TimeoutExpired) as error:
            self.failures.append(f"{what}: {error}")
            self._progress(f"FAILED  {what}: {error}")
        finally:
            self._forecast.done(self._turn_s(part))
