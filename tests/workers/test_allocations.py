"""The hot path does not allocate in Rust once it is warm.

Counted by a build of the extension with the feature `count-allocations`, which this test makes;
the app answers with the counter of its own process.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rgunicorn
from harness.server import APPS, Command, Spawn
from harness.wire import Wire, get

ROOT = Path(__file__).resolve().parents[2]
WARM_UP = 50
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
    subprocess.run(
        ["cargo", "build", "--quiet", "--lib", "--features", "count-allocations"],
        cwd=ROOT,
        check=True,
    )
    place = tmp_path_factory.mktemp("counting")
    package = Path(rgunicorn.__file__).parent
    shutil.copytree(
        package, place / "rgunicorn", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    shutil.copy(ROOT / "target/debug/librgunicorn.so", place / "rgunicorn/_core.abi3.so")
    return place


@pytest.mark.parametrize("fields", [(), BROWSER], ids=["curl-like", "browser-like"])
@pytest.mark.parametrize("accesslog", [None, "access.log"], ids=["quiet", "access log"])
def test_a_kept_alive_request_allocates_nothing(
    module_spawn: Spawn, counting: Path, fields: tuple[str, ...], accesslog: str | None
) -> None:
    server = module_spawn(
        "allocations:app",
        command=Command((sys.executable, "-m", "rgunicorn"), "rgunicorn"),
        settings={"sync_keepalive": True, "accesslog": accesslog},
        env={"PYTHONPATH": f"{counting}:{APPS}"},
    )
    with Wire(server.address) as wire:
        counters = []
        for _ in range(WARM_UP + COUNTED):
            wire.send(get("/path?query=1", *fields))
            counters.append(int(wire.response().body))
    assert counters[0] > 0
    # The tick of the loop may come in between, and it calls into Python.
    steady = counters[WARM_UP:]
    steps = [after - before for before, after in zip(steady, steady[1:], strict=False)]
    assert steps.count(0) >= len(steps) - 2, steps
