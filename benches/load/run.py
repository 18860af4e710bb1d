"""Load harness: WSGI servers side by side. `python benches/load/run.py --help`, ../README.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from loadbench import measure
from loadbench.errors import BenchError, Unavailable
from loadbench.install import require_tools
from loadbench.paths import BENCH
from loadbench.peers import Peer, all_peers
from loadbench.report import Results, as_json, as_markdown
from loadbench.scenarios import SCENARIOS

_PARTS = ("timed", "syscalls", "boot", "memory")


def main() -> int:
    args = _parse_args()
    started = time.monotonic()

    def progress(line: str) -> None:
        print(f"[{time.monotonic() - started:6.1f} s] {line}", flush=True)

    try:
        results = _run(args, progress)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    _write(results, args.output)
    return 1 if results.failures else 0


def _run(args: argparse.Namespace, progress: measure.Progress) -> Results:
    require_tools("wrk", "taskset", *(["strace"] if "syscalls" in args.parts else []))
    cores = sorted(os.sched_getaffinity(0))
    if not {args.server_core, args.client_core} <= set(cores):
        raise BenchError(f"needs two cores, this process may use {cores}; see --server-core")
    peers, skipped = _prepare(args.servers, progress)
    # From here on the harness stays off the server's core; taskset moves the servers there.
    os.sched_setaffinity(0, {args.client_core})
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in args.scenarios]
    plan = measure.Plan(
        rounds=args.rounds,
        seconds=args.seconds,
        connections=args.connections,
        server_core=args.server_core,
        client_core=args.client_core,
        starts=args.starts,
        traced_requests=args.traced_requests,
    )
    bench = measure.Bench(peers, scenarios, plan, progress)
    results = Results(peers, scenarios, plan, skipped, failures=bench.failures)
    if "timed" in args.parts:
        results.samples = bench.timed_rounds()
    if "syscalls" in args.parts:
        results.syscalls = bench.syscall_counts()
    if "boot" in args.parts:
        results.boots = bench.boot_times()
    if "memory" in args.parts:
        results.memory = bench.memory_use()
    return results


def _prepare(
    wanted: list[str] | None, progress: measure.Progress
) -> tuple[list[Peer], dict[str, str]]:
    """Servers ready to start, and why others are not. One asked for by name must be there."""
    ready: list[Peer] = []
    skipped: dict[str, str] = {}
    for peer in all_peers():
        if wanted is not None and peer.name not in wanted:
            continue
        try:
            peer.prepare()
        except Unavailable as why:
            if wanted is not None:
                raise BenchError(f"{peer.name}: {why}") from why
            skipped[peer.name] = str(why)
            progress(f"skipped {peer.name}: {why}")
            continue
        ready.append(peer)
        progress(f"ready   {peer.name} {peer.version()}")
    if not ready:
        raise BenchError("no server to measure")
    return ready, skipped


def _write(results: Results, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    stem = directory / f"load-{results.date.replace(':', '').removesuffix('+0000')}"
    table = as_markdown(results)
    stem.with_suffix(".json").write_text(json.dumps(as_json(results), indent=1) + "\n")
    stem.with_suffix(".md").write_text(table)
    print(f"\n{table}\nwritten: {stem}.json and .md")


def _parse_args() -> argparse.Namespace:
    servers = [peer.name for peer in all_peers()]
    scenarios = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(description="WSGI servers side by side under the same load.")
    parser.add_argument("--servers", nargs="+", choices=servers, help="default: all that can run")
    parser.add_argument("--scenarios", nargs="+", choices=scenarios, default=scenarios)
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=list(_PARTS))
    parser.add_argument("--rounds", type=_positive, default=4, help="even is fairest (4)")
    parser.add_argument("--seconds", type=_positive, default=4, help="of one timed run (4)")
    parser.add_argument("--connections", type=_positive, default=32, help="of the client (32)")
    parser.add_argument("--starts", type=_positive, default=15, help="per server, boot (15)")
    parser.add_argument("--traced-requests", type=_positive, default=4000, metavar="N")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    parser.add_argument("--output", type=Path, default=BENCH / "results", metavar="DIR")
    quick = "1 round of 1 s, 3 starts: checks that everything runs, measures nothing"
    parser.add_argument("--quick", action="store_true", help=quick)
    args = parser.parse_args()
    if args.server_core == args.client_core:
        parser.error("--server-core and --client-core must differ")
    if args.quick:
        args.rounds, args.seconds, args.starts = 1, 1, 3
    return args


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1: {text}")
    return number


if __name__ == "__main__":
    sys.exit(main())
