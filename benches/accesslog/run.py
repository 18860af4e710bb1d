"""What an access line costs: CPU time of a server per hello request, with the log off and on.

    python benches/accesslog/run.py --gunicorn .venv-gunicorn/bin/python --rounds 6

Each round starts every configuration once, every second round in the other order; figures are
medians over rounds of CPU time (master and workers, /proc/PID/stat) divided by the requests that
wrk counts. The lines in the log are counted: nobody wins by not logging. Needs wrk, taskset and two
cores.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]
"""
LOGS = {
    "off": [],
    "default": ["--access-logfile", "access.log"],
    "json": ["--access-logfile", "access.log", "--access-logformat", "json"],
}


@dataclass(frozen=True)
class Setup:
    """One configuration."""

    server: str
    worker: str
    log: str

    def command(self, python: str, port: int) -> list[str]:
        kind = ["-k", "gthread", "--threads", "4"] if self.worker == "gthread" else ["-k", "sync"]
        quiet = ["--error-logfile", "error.log", "--no-control-socket"]
        bind = ["-b", f"127.0.0.1:{port}", "-w", "1"]
        return [python, "-m", self.server, *bind, *kind, *quiet, *LOGS[self.log], "app:app"]


def main() -> int:
    args = arguments()
    pythons = {"rgunicorn": args.rgunicorn, "gunicorn": args.gunicorn}
    setups = [
        Setup(server, worker, log)
        for worker in ("gthread", "sync")
        for server, logs in (("rgunicorn", LOGS), ("gunicorn", ("off", "default")))
        for log in logs
        if pythons[server]
    ]
    figures: dict[Setup, list[float]] = {setup: [] for setup in setups}
    for number in range(args.rounds):
        for setup in setups if number % 2 == 0 else reversed(setups):
            cost = measure(setup, pythons[setup.server], args)
            figures[setup].append(cost)
            name = f"{setup.server} {setup.worker} {setup.log}"
            print(f"round {number + 1}: {name}: {cost:.1f} µs", flush=True)
    print(table(figures))
    return 0


def measure(setup: Setup, python: str, args: argparse.Namespace) -> float:
    """CPU microseconds per request."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "app.py").write_text(APP)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        pinned = ["taskset", "-c", str(args.server_core), *setup.command(python, port)]
        process = subprocess.Popen(pinned, cwd=directory)
        try:
            wait_for(port)
            warm = load(setup, port, 1, args)
            before = cpu_ticks(process.pid)
            count = load(setup, port, args.seconds, args)
            ticks = cpu_ticks(process.pid) - before
        finally:
            process.terminate()
            process.wait(30)
        if setup.log != "off":
            lines = (directory / "access.log").read_bytes().count(b"\n")
            # Those that were on their way when wrk stopped have lines as well.
            if not warm + count <= lines <= warm + count + 200:
                raise SystemExit(f"{setup}: {lines} lines for {warm + count} requests")
    return ticks / TICKS * 1e6 / count


def load(setup: Setup, port: int, seconds: int, args: argparse.Namespace) -> int:
    """Requests that were answered."""
    url = f"http://127.0.0.1:{port}/hello?a=b"
    fields = ["-H", "User-Agent: Mozilla/5.0 (X11; Linux x86_64)", "-H", "Referer: http://a.test/"]
    if setup.worker == "sync":
        fields += ["-H", "Connection: close"]
    command = ["taskset", "-c", str(args.client_core), "wrk", "-t1", "-c8", f"-d{seconds}s"]
    done = subprocess.run([*command, *fields, url], capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout:
        raise SystemExit(f"{setup}: {done.stdout}")
    found = re.search(r"(\d+) requests in", done.stdout)
    if found is None:
        raise SystemExit(f"{setup}: {done.stdout}")
    return int(found[1])


def cpu_ticks(pid: int) -> int:
    """Of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = 0
    for one in (pid, *map(int, children)):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total


def wait_for(port: int) -> None:
    for _ in range(600):
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server does not listen")


def table(figures: dict[Setup, list[float]]) -> str:
    """Markdown."""
    middle = {setup: statistics.median(costs) for setup, costs in figures.items()}
    lines = [
        "| server | worker | log off | default format | `json` |",
        "|---|---|---|---|---|",
    ]
    for server, worker in dict.fromkeys((setup.server, setup.worker) for setup in figures):
        cells = []
        for log in LOGS:
            cost = middle.get(Setup(server, worker, log))
            if cost is None:
                cells.append("")
                continue
            more = cost - middle[Setup(server, worker, "off")]
            cells.append(f"{cost:.1f}" if log == "off" else f"{cost:.1f} ({more:+.1f})")
        lines.append(f"| {server} | {worker} | {' | '.join(cells)} |")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rgunicorn", default=sys.executable, help="a Python that has it")
    parser.add_argument("--gunicorn", help="a Python that has the real one; without: not measured")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
