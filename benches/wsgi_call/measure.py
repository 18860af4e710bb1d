"""CPU time of one WSGI call without a server: `python benches/wsgi_call/measure.py`.

Prints JSON: microseconds per call for each scenario. wsgi_call.c says what a call includes.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from statistics import median
from types import ModuleType

HERE = Path(__file__).resolve().parent
LOAD = HERE.parent / "load"
sys.path[:0] = [str(LOAD), str(LOAD / "apps")]

from hello import BODY, app  # noqa: E402 - found by the line above
from loadbench.scenarios import SCENARIOS, Scenario  # noqa: E402

# The scenario of the load harness that each figure belongs to.
MEASURED = {"hello": "keepalive", "browser": "browser"}
_CALLS = 20_000


def build() -> ModuleType:
    """Compiles wsgi_call.c for this Python with its own compiler, and imports it.

    Raises subprocess.CalledProcessError when it can not be compiled.
    """
    compiler = (sysconfig.get_config_var("CC") or "cc").split()
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / f"wsgi_call{sysconfig.get_config_var('EXT_SUFFIX')}"
        command = [*compiler, "-O3", "-Wall", "-Wextra", "-shared", "-fPIC"]
        command += [f"-I{sysconfig.get_path('include')}"]
        subprocess.run([*command, str(HERE / "wsgi_call.c"), "-o", str(target)], check=True)
        spec = importlib.util.spec_from_file_location("wsgi_call", target)
        if spec is None or spec.loader is None:
            raise ImportError(f"{target} is no extension module")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def base() -> dict[str, object]:
    """The environ of a connection: what is the same for all requests on it."""
    return {
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": io.BytesIO,
        "wsgi.input_terminated": True,
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "SERVER_SOFTWARE": "floor",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SCRIPT_NAME": "",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "40000",
        "REQUEST_METHOD": "GET",
        "RAW_URI": "",
        "PATH_INFO": "",
        "QUERY_STRING": "",
    }


def fields(scenario: Scenario) -> list[tuple[str, bytes]]:
    """Keys as they stand in the environ, values as they come over the wire."""
    names = [("Host", "127.0.0.1:8000"), *scenario.headers]
    keys = [sys.intern("HTTP_" + name.upper().replace("-", "_")) for name, _ in names]
    return [(key, value.encode("latin-1")) for key, (_, value) in zip(keys, names, strict=True)]


def request(scenario: Scenario) -> tuple[object, ...]:
    """What the extension is told of one request."""
    target = scenario.path.encode()
    query = target.partition(b"?")[2]
    return base(), "GET", target, query, fields(scenario)


def measure(seconds: float) -> dict[str, float]:
    """Microseconds per call: the median of batches taken in turns for `seconds` of CPU time."""
    module = build()
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    taken: dict[str, list[float]] = {name: [] for name in MEASURED}
    used = 0.0
    while used < seconds:
        for name, scenario in MEASURED.items():
            asked = by_name[scenario]
            spent = module.measure(app, request(asked), _CALLS) / 1e9
            if not module.copied().endswith(BODY):
                raise RuntimeError(f"{name}: the application answered {module.copied()!r}")
            taken[name].append(spent / _CALLS * 1e6)
            used += spent
    return {name: median(batches) for name, batches in taken.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description="CPU time of one WSGI call without a server.")
    parser.add_argument("--core", type=int, help="core to stay on")
    parser.add_argument("--seconds", type=float, default=2.0, help="of CPU time (2)")
    args = parser.parse_args()
    if args.core is not None:
        os.sched_setaffinity(0, {args.core})
    try:
        print(json.dumps(measure(args.seconds)))
    except subprocess.CalledProcessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
