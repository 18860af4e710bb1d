"""Chaos and soak: real clients and a server to which everything happens that may happen to it.

`make soak`, or in `tests/`: `../.venv/bin/python -m chaos.soak --seconds 600 --kind gthread`.
Exit code 1 when an invariant does not hold; the directory with all logs and the timeline is kept.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from chaos.deck import ALL
from chaos.director import Director
from chaos.site import KINDS

ALONE = "CHAOS_NAMESPACE"


def main(argv: Sequence[str]) -> int:
    arguments = parsed(argv)
    privately(argv)
    directory = Path(tempfile.mkdtemp(prefix="rgunicorn-soak-", dir=arguments.directory))
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().getrandbits(32)
    again = f"--kind {arguments.kind} --seconds {arguments.seconds:g} --seed {seed}"
    if arguments.only:
        again += f" --only {','.join(arguments.only)}"
    print(f"soak {again} --workers {arguments.workers}\nin {directory}", flush=True)
    say = print if arguments.verbose else lambda line: None
    director = Director(arguments.kind, directory, seed, arguments.workers, say)
    director.timeline.strict = arguments.strict
    began = time.monotonic()
    over = threading.Event()
    progress = threading.Thread(target=tell, args=(director, over, began), daemon=True)
    progress.start()
    try:
        findings = director.run(arguments.seconds, arguments.only)
    finally:
        over.set()
        director.end()
    bad = [finding for finding in findings if not finding.holds]
    report = "\n".join(map(str, findings))
    (directory / "report").write_text(f"soak {again}\n{report}\n")
    print(f"\n{report}\n{len(findings) - len(bad)} of {len(findings)} invariants hold", flush=True)
    if bad:
        # Once more, where also a log shows it of which only the end is kept.
        print("\nWhat does not hold:\n" + "\n".join(map(str, bad)))
        print(f"kept in {directory}: server.log, access.log, timeline.jsonl, report")
        print(f"again: python -m chaos.soak {again}")
        return 1
    if not arguments.keep:
        shutil.rmtree(directory)
    return 0


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    names = [disturbance.name for disturbance in ALL]
    parser = argparse.ArgumentParser(prog="chaos.soak", description=__doc__)
    parser.add_argument("--kind", choices=KINDS, default="gthread", help="the worker class")
    parser.add_argument("--seconds", type=float, default=600, help="how long, in all")
    parser.add_argument("--seed", type=int, help="of all dice; printed, to be given again")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=[],
        help=f"disturbances with commas between them, of {', '.join(names)}",
    )
    parser.add_argument(
        "--strict", action="store_true", help="excuse nothing: a run with disturbances fails then"
    )
    parser.add_argument("--directory", type=Path, help="where to put the run's directory")
    parser.add_argument("--keep", action="store_true", help="keep it also when all is well")
    parser.add_argument("--verbose", action="store_true", help="say each disturbance")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.only) - set(names):
        parser.error(f"--only: no disturbance is called {', '.join(sorted(unknown))}")
    return arguments


def privately(argv: Sequence[str]) -> None:
    """Runs this again in a mount namespace of its own, where it may have a small disk: nothing is
    mounted for others, and nothing is left mounted."""
    if os.geteuid() != 0 or os.environ.get(ALONE) or not (tool := shutil.which("unshare")):
        return
    command = shlex.join([sys.executable, "-m", "chaos.soak", *argv])
    # Where there can be no namespace (a container), it goes on without.
    script = f"unshare --mount true 2> /dev/null && exec {tool} --mount {command}; exec {command}"
    os.execve("/bin/sh", ["sh", "-c", script], {**os.environ, ALONE: "1"})


def tell(director: Director, over: threading.Event, began: float) -> None:
    """How it goes, now and then."""
    while not over.wait(10):
        print(f"{time.monotonic() - began:6.0f} s  {director.state()}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
