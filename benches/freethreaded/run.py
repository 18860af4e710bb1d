"""Do two application threads on two cores serve a CPU-bound application twice as fast as one?

    python benches/freethreaded/run.py --free .venv-3.14t/bin/python --gil .venv-3.14/bin/python

Each named interpreter has rgunicorn, or Gunicorn, or both installed; `make bench-freethreaded`
prepares them. One worker serves `cpu_app.py` with one thread and with two, with calls of about 5 ms
and of about 0.3 ms. Rounds are interleaved, every second one backwards; figures are medians. The
client is wrk, which takes some microseconds a request from the same two cores.

Prints a Markdown page. Exit status 1 when something could not be measured.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "load"))

from loadbench import procfs  # noqa: E402

CALLS_MS = {"5 ms": 5.0, "0.3 ms": 0.3}
THREADS = (1, 2)
CORES = 2
BOOT_LIMIT_S = 20.0
STOP_LIMIT_S = 15.0
NOISE = 0.05
TICK = 1 / os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """Something could not be measured."""


@dataclass(frozen=True)
class Contestant:
    """A server on an interpreter."""

    kind: str
    python: str
    server: str

    @property
    def name(self) -> str:
        return f"{self.server}, {self.kind}"


@dataclass(frozen=True)
class Sample:
    """One measurement; all times in seconds."""

    requests_per_s: float
    busy_cores: float
    client_cores: float
    other_cores: float


Case = tuple[Contestant, str, int]
"""Who, which call, how many threads."""


def main() -> int:
    options = parse()
    contestants = [
        # Not resolved: a link to an interpreter is what makes an environment of it.
        Contestant(kind, os.path.abspath(python), server)
        for kind, python in (("free-threaded", options.free), ("GIL", options.gil))
        if python
        for server in options.servers
    ]
    if not contestants:
        sys.exit("name at least one interpreter: --free or --gil")
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed (Debian: apt install wrk)")
    if len(os.sched_getaffinity(0)) < CORES:
        sys.exit(f"this needs {CORES} cores")
    if options.nice:
        # Between sessions only the priority of the whole session counts (sched(7), autogroup).
        Path("/proc/self/autogroup").write_text(str(options.nice))
    # The same work for everybody: as many steps as the first interpreter takes in that time.
    rate = float(output([contestants[0].python, str(HERE / "cpu_app.py")]))
    steps = {call: round(rate * ms) for call, ms in CALLS_MS.items()}
    cases = [
        (who, call, threads) for who in contestants for call in CALLS_MS for threads in THREADS
    ]
    samples: dict[Case, list[Sample]] = {case: [] for case in cases}
    facts: dict[Contestant, dict[str, object]] = {}
    for turn in range(options.rounds):
        for case in cases if turn % 2 == 0 else reversed(cases):
            who, call, threads = case
            try:
                sample, facts[who] = measure(who, steps[call], threads, options)
            except BenchError as error:
                print(f"{who.name}: {error}", file=sys.stderr)
                return 1
            samples[case].append(sample)
            print(
                f"round {turn + 1}/{options.rounds}: {who.name}, {call}, {threads} threads: "
                f"{sample.requests_per_s:.0f} req/s, {sample.busy_cores:.2f} cores",
                file=sys.stderr,
                flush=True,
            )
    print(report(samples, facts, steps, options))
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--free", metavar="PYTHON", help="a free-threaded interpreter")
    parser.add_argument("--gil", metavar="PYTHON", help="the same version with the GIL")
    parser.add_argument("--servers", nargs="+", default=["rgunicorn"], metavar="MODULE")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument(
        "--nice", type=int, default=0, help="priority, -20 to 19; below 0 needs root"
    )
    return parser.parse_args()


def output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def measure(
    who: Contestant, steps: int, threads: int, options: argparse.Namespace
) -> tuple[Sample, dict[str, object]]:
    with serving(who, threads) as (port, pid):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/facts", timeout=10) as response:
            facts: dict[str, object] = json.load(response)
        if facts["gil"] is not (who.kind == "GIL"):
            raise BenchError(f"the GIL is {'on' if facts['gil'] else 'off'} in the worker")
        url = f"http://127.0.0.1:{port}/spin/{steps}"
        load(url, options.connections, 1)
        pids = procfs.process_tree(pid)
        before = procfs.cpu_time(pids).total, client_seconds(), machine_busy(), time.monotonic()
        requests_per_s = load(url, options.connections, options.seconds)
        after = procfs.cpu_time(pids).total, client_seconds(), machine_busy(), time.monotonic()
    server, client, machine, elapsed = (b - a for a, b in zip(before, after, strict=True))
    others = max(0.0, machine - server - client)
    return Sample(requests_per_s, server / elapsed, client / elapsed, others / elapsed), facts


@contextmanager
def serving(who: Contestant, threads: int) -> Iterator[tuple[int, int]]:
    """A running server: its port and its master's pid."""
    port = free_port()
    cores = ",".join(str(core) for core in sorted(os.sched_getaffinity(0))[:CORES])
    command = ["taskset", "-c", cores, who.python, "-m", who.server, "-k", "gthread"]
    command += ["--threads", str(threads), "--workers", "1", "--bind", f"127.0.0.1:{port}"]
    command += ["--log-level", "warning", "--no-control-socket", "cpu_app:app"]
    with tempfile.TemporaryDirectory() as home, (Path(home) / "log").open("w+b") as log:
        process = subprocess.Popen(
            command,
            cwd=HERE,
            # Nothing of the caller's: a WEB_CONCURRENCY of his shell would be measured too.
            env={"PATH": os.environ["PATH"], "HOME": home, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # In one session with the client: sessions have equal weights, so the scheduler may put
            # both threads on one core, and a client that hardly computes on the other.
            preexec_fn=os.setpgrp,
        )
        try:
            wait_for(process, port, Path(log.name))
            yield port, process.pid
        finally:
            stop(process)


def wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up = time.monotonic() + BOOT_LIMIT_S
    while time.monotonic() < give_up and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/facts", timeout=BOOT_LIMIT_S).close()
            return
        except OSError:
            time.sleep(0.05)
    raise BenchError(f"did not start:\n{log.read_text(errors='replace')[-3000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the server, and what it left behind in the group made for it."""
    pids = procfs.process_tree(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        print("a server did not stop on SIGTERM and is killed", file=sys.stderr)
    for pid in pids:
        try:
            if os.getpgid(pid) == process.pid:
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it has ended by itself, as it should
    process.wait()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def load(url: str, connections: int, seconds: int) -> float:
    """Requests a second over kept-alive connections, as wrk counts them."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s", url]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 30, check=False
    )
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    trouble = re.search(r"Non-2xx|Socket errors", done.stdout)
    if done.returncode != 0 or rate is None or trouble or float(rate[1]) == 0:
        raise BenchError(f"wrk failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return float(rate[1])


def client_seconds() -> float:
    """CPU time of every client that has ended. Servers are not waited for while one runs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def machine_busy() -> float:
    """CPU seconds since boot in which some core was not idle, whoever used it."""
    _, *ticks = Path("/proc/stat").read_text().splitlines()[0].split()
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks[:8])
    return (user + nice + system + irq + softirq + steal) * TICK


def report(
    samples: dict[Case, list[Sample]],
    facts: dict[Contestant, dict[str, object]],
    steps: dict[str, int],
    options: argparse.Namespace,
) -> str:
    lines = [
        f"{datetime.date.today().isoformat()}, {cpu_model()}, {CORES} of "
        f"{os.cpu_count()} cores, Linux {platform.release()}. "
        f"{options.rounds} rounds of {options.seconds} s, {options.connections} connections.",
        "",
    ]
    for who, known in facts.items():
        python = " ".join(str(known["python"]).split("[")[0].split())
        lines.append(f"- {who.name}: CPython {python}, {known['server']}")
    for call, count in steps.items():
        lines.append(f"- a call of {call}: {count} steps of `spin`")
    lines += [
        "",
        "| server, interpreter | call | 1 thread, req/s | 2 threads, req/s | 2 to 1 "
        "| worst, best round | cores busy | client |",
        "|---|---|---|---|---|---|---|---|",
    ]
    noisiest = 0.0
    for who, call in dict.fromkeys((who, call) for who, call, _ in samples):
        one, two = (samples[who, call, threads] for threads in THREADS)
        first, second = (median(sample.requests_per_s for sample in each) for each in (one, two))
        ratios = [b.requests_per_s / a.requests_per_s for a, b in zip(one, two, strict=True)]
        busy = [median(sample.busy_cores for sample in each) for each in (one, two)]
        client = median(sample.client_cores for sample in two)
        noisiest = max(noisiest, *(median(s.other_cores for s in each) for each in (one, two)))
        lines.append(
            f"| {who.name} | {call} | {first:,.0f} | {second:,.0f} | **{second / first:.2f}** "
            f"| {min(ratios):.2f}, {max(ratios):.2f} | {busy[0]:.2f}, {busy[1]:.2f} "
            f"| {client:.3f} |"
        )
    lines.append("")
    lines.append(
        "*Cores busy*: by the server, with 1 and with 2 threads. *Client*: cores wrk used."
    )
    if noisiest > NOISE:
        lines.append(f"**Noisy**: other programs took up to {noisiest:.2f} cores (median).")
    lines += ["", f"    {shlex.join(['python', *sys.argv])}"]
    return "\n".join(lines)


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
