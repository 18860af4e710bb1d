"""Load harness: WSGI servers side by side. `python benches/load/run.py --help`, ../README.md."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import time
from pathlib import Path

from loadbench.bench import Bench, Progress
from loadbench.errors import BenchError, Unavailable
from loadbench.gunicorns import (
    RgunicornBuild,
    RgunicornGthread,
    RgunicornSync,
    RgunicornSyncKeepalive,
)
from loadbench.install import build_crowd, require_tools
from loadbench.micro import build_micro
from loadbench.page import write_numbers, write_page
from loadbench.paths import BENCH
from loadbench.peer import Peer
from loadbench.peers import all_peers
from loadbench.plan import Plan
from loadbench.report import Document, Results, document
from loadbench.scenarios import SCENARIOS
from loadbench.suites import AB, PARTS, SUITES, Suite, absent, chosen
from loadbench.syscalls import perf_counts
from loadbench.tables import as_markdown

AB_LIKE = {one.name: one for one in (RgunicornGthread, RgunicornSync, RgunicornSyncKeepalive)}


def main() -> int:
    args = _parse_args()
    # A shell ignores SIGINT in background jobs; servers that stop on it would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    started = time.monotonic()

    def progress(line: str) -> None:
        print(f"[{time.monotonic() - started:6.1f} s] {line}", flush=True)

    try:
        results = _run(args, progress)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    found = document(results)
    _write(found, results.date, args.output)
    if args.page is not None and args.quick:
        print(f"{args.page} is left as it is: the numbers of --quick mean nothing")
    elif args.page is not None:
        write_page(args.page, found)
        if args.readme is not None:
            write_numbers(args.readme, found)
        print(f"written: {args.page} and its charts")
    return 1 if results.failures else 0


def _run(args: argparse.Namespace, progress: Progress) -> Results:
    needs_strace = "syscalls" in args.parts and not perf_counts()
    require_tools("wrk", "taskset", *(["strace"] if needs_strace else []))
    cores = sorted(os.sched_getaffinity(0))
    if not {args.server_core, args.client_core} <= set(cores):
        raise BenchError(f"needs two cores, this process may use {cores}; see --server-core")
    peers, skipped = _prepare(args, progress)
    # From here on the harness stays off the server's core; taskset moves the servers there.
    os.sched_setaffinity(0, {args.client_core})
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in args.scenarios]
    plan = Plan(
        rounds=args.rounds,
        seconds=args.seconds,
        connections=args.connections,
        threads=args.threads,
        server_core=args.server_core,
        client_core=args.client_core,
        starts=args.starts,
        traced_requests=args.traced_requests,
        idle=tuple(args.idle),
        stalled=args.stalled,
        busy_workers=args.busy_workers,
        busy_rounds=args.busy_rounds,
        busy_seconds=args.busy_seconds,
        curve_connections=tuple(args.curve_connections),
        curve_fields=tuple(args.curve_fields),
        curve_bodies=tuple(args.curve_bodies),
        curve_seconds=args.curve_seconds,
        quick=args.quick,
        dribblers=args.dribblers,
        reloads=args.reloads,
    )
    bench = Bench(peers, scenarios, args.suite, plan, progress)
    progress(f"about {bench.forecast_s(args.parts) / 60:.0f} minutes")
    bench.begin(args.parts)
    command = shlex.join(["benches/load/run.py", *sys.argv[1:]])
    results = Results(command, peers, scenarios, plan, skipped, failures=bench.failures)
    results.absent = absent(args.suite, peers, scenarios, args.parts)
    if "micro" in args.parts:
        results.micro = bench.without_python()
    if "call" in args.parts:
        results.wsgi_call_us = bench.wsgi_call()
    if "timed" in args.parts:
        results.samples = bench.timed_rounds()
    if "idle" in args.parts:
        results.idle = bench.idle_crowds()
    if "busy" in args.parts:
        results.busy = bench.dispatch()
    if "stalled" in args.parts:
        results.stalled = bench.stalling()
    if "dribble" in args.parts:
        results.dribble = bench.dribbling()
    if "reload" in args.parts:
        results.reload = bench.reloads()
    if "syscalls" in args.parts:
        results.syscalls = bench.syscall_counts()
    if "boot" in args.parts:
        results.boots = bench.boot_times()
    if "memory" in args.parts:
        results.memory = bench.memory_use()
    if "preload" in args.parts:
        results.preload = bench.preloading()
    if "curves" in args.parts:
        results.curves = bench.curves()
    return results


def _prepare(args: argparse.Namespace, progress: Progress) -> tuple[list[Peer], dict[str, str]]:
    """Servers ready to start, and why others are not. One asked for by name must be there."""
    ready: list[Peer] = []
    skipped: dict[str, str] = {}
    must = bool(args.servers or args.ab)
    if args.trained:
        progress("our own build is made twice, and trained in between: four minutes")
    for peer in _wanted(args):
        trained = args.trained and isinstance(peer, RgunicornSync)
        if trained:
            peer.trained = True
        try:
            peer.prepare()
        except Unavailable as why:
            if must or trained:
                raise BenchError(f"{peer.name}: {why}") from why
            skipped[peer.name] = str(why)
            progress(f"skipped {peer.name}: {why}")
            continue
        ready.append(peer)
        progress(f"ready   {peer.name} {peer.version()}")
    if not ready:
        raise BenchError("no server to measure")
    if "micro" in args.parts:
        progress("building the Rust benchmarks")
        build_micro()
    if "curves" in args.parts:
        try:
            build_crowd()
        except Unavailable as why:
            raise BenchError(f"the client of the curves: {why}") from why
    return ready, skipped


def _wanted(args: argparse.Namespace) -> list[Peer]:
    if args.ab:
        pairs = zip("AB", args.ab, strict=True)
        return [RgunicornBuild(name, python, AB_LIKE[args.ab_like]()) for name, python in pairs]
    return [peer for peer in all_peers() if peer.name in args.suite.servers]


def _write(found: Document, date: str, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    stem = directory / f"load-{date.replace(':', '').removesuffix('+0000')}"
    table = as_markdown(found)
    stem.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    stem.with_suffix(".md").write_text(table)
    print(f"\n{table}\nwritten: {stem}.json and .md")


def _parse_args() -> argparse.Namespace:
    servers = [peer.name for peer in all_peers()]
    scenarios = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(description="WSGI servers side by side under the same load.")
    parser.add_argument("--suite", choices=SUITES, default="threads", help="(threads)")
    ab = "two Pythons with a build of rgunicorn each, against each other"
    parser.add_argument("--ab", nargs=2, type=Path, metavar=("A", "B"), help=ab)
    parser.add_argument("--ab-like", choices=AB_LIKE, default="rgunicorn-gthread", help="(gthread)")
    parser.add_argument("--servers", nargs="+", choices=servers, help="default: the suite's")
    parser.add_argument("--scenarios", nargs="+", choices=scenarios, help="default: the suite's")
    parser.add_argument("--parts", nargs="+", choices=PARTS, help="default: the suite's")
    parser.add_argument("--rounds", type=_positive, help="even is fairest; default: the suite's")
    parser.add_argument("--seconds", type=_seconds, help="of a timed run; default: the suite's")
    parser.add_argument("--threads", type=_positive, default=4, help="per worker (4)")
    parser.add_argument("--connections", type=_positive, default=32, help="of the client (32)")
    parser.add_argument("--starts", type=_positive, help="per server, boot; default: the suite's")
    parser.add_argument("--traced-requests", type=_positive, default=4000, metavar="N")
    idle = "idle connections to hold; default: the suite's"
    parser.add_argument("--idle", nargs="+", type=_positive, help=idle)
    parser.add_argument("--stalled", type=_positive, default=1000, help="clients (1000)")
    parser.add_argument("--busy-workers", type=_positive, default=4, metavar="N", help="(4)")
    parser.add_argument("--busy-rounds", type=_positive, metavar="N", help="default: the suite's")
    parser.add_argument("--busy-seconds", type=float, default=0.5, metavar="S", help="(0.5)")
    points = "points of the curves"
    lots, few = [10, 100, 1_000, 10_000], [1, 2, 4, 8, 16, 32, 64]
    sizes = [1 << power for power in (10, 15, 20, 25, 30)]
    for name, default in (("connections", lots), ("fields", few), ("bodies", sizes)):
        parser.add_argument(
            f"--curve-{name}", nargs="+", type=_positive, default=default, metavar="N", help=points
        )
    parser.add_argument("--curve-seconds", type=_seconds, default=1.0, help="of a point (1)")
    page = "write tables and charts into this page too, unless --quick"
    parser.add_argument("--page", type=Path, help=page)
    parser.add_argument("--readme", type=Path, help="and the table of a few scenarios into this")
    parser.add_argument("--dribblers", type=_positive, default=200, help="slow clients (200)")
    parser.add_argument("--reloads", type=_positive, default=3, metavar="N", help="(3)")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    parser.add_argument("--output", type=Path, default=BENCH / "results", metavar="DIR")
    quick = "1 short round, few of everything: checks that everything runs, measures nothing"
    trained = "build rgunicorn with a profile of itself, as releases are (llvm-tools of rustup)"
    parser.add_argument("--trained", action="store_true", help=trained)
    parser.add_argument("--quick", action="store_true", help=quick)
    args = parser.parse_args()
    if args.server_core == args.client_core:
        parser.error("--server-core and --client-core must differ")
    if args.ab and (args.servers or args.trained):
        parser.error("--ab excludes --servers and --trained")
    _settle(args, AB if args.ab else SUITES[args.suite])
    return args


def _settle(args: argparse.Namespace, suite: Suite) -> None:
    """Fills what was not said from `suite`, and --quick over it."""
    args.suite = chosen(suite, args.servers) if args.servers else suite
    args.scenarios = args.scenarios or suite.scenarios
    args.parts = args.parts or suite.parts
    args.rounds = args.rounds or suite.rounds
    args.seconds = args.seconds or suite.seconds
    args.starts = args.starts or suite.starts
    args.idle = args.idle or list(suite.idle)
    args.busy_rounds = args.busy_rounds or suite.busy_rounds
    if args.quick:
        args.rounds, args.seconds, args.starts = 1, 0.3, 1
        args.busy_rounds, args.idle, args.reloads = 1, args.idle[:1], 1
        args.curve_connections = args.curve_connections[:2]
        args.curve_fields = args.curve_fields[::3]
        args.curve_bodies, args.curve_seconds = args.curve_bodies[:3], 0.3


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1: {text}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"must be more than 0: {text}")
    return number


if __name__ == "__main__":
    sys.exit(main())
