"""The hot path does not allocate in Rust once it is warm.

Counted by a build of the extension with the feature `count-allocations`, which this test makes;
the app answers with the counter of its own process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import rgunicorn
from harness.mode import Mode
from harness.server import APPS, Command, Spawn
from harness.wire import Wire, get
from rgunicorn import _core

# The first one waits for the build, which takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).resolve().parents[2]
WARM_UP = 500
COUNTED = 200

BROWSER = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Cookie: sessionid=0123456789abcdef0123456789abcdef; csrftoken=0123456789abcdef",
    "Upgrade-Insecure-Requests: 1",
)


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package around a counting build of the core."""
    if shutil.which("cargo") is None or not (ROOT / "Cargo.toml").exists():
        pytest.skip("needs cargo and the source tree, to build a core that counts")
    target, env = ROOT / "target", dict(os.environ)
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        # Without a stable ABI the core is of this very Python, and takes libpython's names from it.
        target = ROOT / "target/free-threaded"
        env |= {"PYO3_PYTHON": sys.executable, "PYO3_BUILD_EXTENSION_MODULE": "1"}
    subprocess.run(
        ["cargo", "build", "--quiet", "--lib", "--features", "count-allocations"],
        cwd=ROOT,
        env=env | {"CARGO_TARGET_DIR": str(target)},
        check=True,
    )
    place = tmp_path_factory.mktemp("counting")
    package = Path(rgunicorn.__file__).parent
    shutil.copytree(
        package, place / "rgunicorn", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    name = Path(_core.__file__).name
    shutil.copy(target / "debug/librgunicorn.so", place / "rgunicorn" / name)
    return place


@pytest.mark.ours("counts what our core allocates")
@pytest.mark.only("the core does not know which transport it reads from", "tcp")
@pytest.mark.parametrize("fields", [(), BROWSER], ids=["curl-like", "browser-like"])
@pytest.mark.parametrize("accesslog", [None, "access.log"], ids=["quiet", "access log"])
def test_a_kept_alive_request_allocates_nothing(
    mode_spawn: Spawn, mode: Mode, counting: Path, fields: tuple[str, ...], accesslog: str | None
) -> None:
    if mode.worker == "gthread" and sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("calls of 50 µs go to other threads there, and a debug build is near that")
    server = mode_spawn(
        "allocations:app",
        command=Command((sys.executable, "-m", "rgunicorn"), "rgunicorn"),
        # One thread in gthread too: the buffers are each thread's own, and which of several runs a
        # request is the machine's doing.
        settings={**mode.keep_alive, "threads": 1, "accesslog": accesslog},
        env={"PYTHONPATH": f"{counting}:{APPS}"},
    )
    with Wire(server.address) as wire:
        counters = []
        for _ in range(WARM_UP + COUNTED):
            wire.send(get("/path?query=1", *fields))
            counters.append(int(wire.response().body))
    assert counters[0] > 0
    steady = counters[WARM_UP:]
    steps = [after - before for before, after in zip(steady, steady[1:], strict=False)]
    # The tick of the loop may come in between, and it calls into Python. In gthread a call that the
    # machine interrupts is taken for a long one: the engine goes to the watcher and back.
    strays = 2 if mode.worker == "sync" else len(steps) // 20
    assert steps.count(0) >= len(steps) - strays, {i: s for i, s in enumerate(steps) if s}
