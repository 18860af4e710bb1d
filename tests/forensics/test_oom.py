"""Whether a worker that was killed has run out of memory: the kernel knows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.scene import Scene
from harness.server import Command, spawner
from harness.wait import until
from rgunicorn.oom import OomCounter

pytestmark = pytest.mark.ours("guesses")

LIMIT = 160 << 20

UNIFIED = "30 20 0:26 {root} {mount} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
LEGACY = "31 20 0:27 {root} {mount} rw,nosuid - cgroup cgroup rw,memory\n"


@pytest.mark.parametrize(
    ("cgroup", "mountinfo", "root", "file"),
    [
        ("0::/user/app\n", UNIFIED, "/", "user/app/memory.events"),
        # In a container without a namespace of its own for cgroups.
        ("0::/docker/abc\n", UNIFIED, "/docker/abc", "memory.events"),
        ("0::/\n", UNIFIED, "/", "memory.events"),
        ("4:cpu,memory:/app\n0::/\n", LEGACY + UNIFIED, "/", "app/memory.oom_control"),
        ("4:memory:/docker/abc\n", LEGACY, "/docker/abc", "memory.oom_control"),
    ],
)
def test_the_file_that_counts(
    tmp_path: Path, cgroup: str, mountinfo: str, root: str, file: str
) -> None:
    mount = tmp_path / "sys"
    events = mount / file
    events.parent.mkdir(parents=True)
    (tmp_path / "self").mkdir()
    (tmp_path / "self/cgroup").write_text(cgroup)
    (tmp_path / "self/mountinfo").write_text(mountinfo.format(root=root, mount=mount))
    (tmp_path / "vmstat").write_text("nr_free_pages 5\noom_kill 77\n")
    events.write_text("low 0\noom 9\noom_kill 3\n")
    counter = OomCounter(str(tmp_path))
    assert (counter.path, counter.scope) == (str(events), "cgroup")
    assert counter.name == f"{events.name}: oom_kill"
    assert counter.take() == 0
    events.write_text("low 0\noom 9\noom_kill 5\n")
    # Two kills explain two ends.
    assert [counter.take() for _ in range(3)] == [5, 5, 0]
    events.write_text("garbage\noom_kill many\n")
    assert counter.take() is None


def test_the_machine_counts_when_no_cgroup_does(tmp_path: Path) -> None:
    (tmp_path / "vmstat").write_text("nr_free_pages 5\noom_kill 77\n")
    counter = OomCounter(str(tmp_path))
    assert (counter.scope, counter.name, counter.take()) == ("machine", "vmstat: oom_kill", 0)
    (tmp_path / "vmstat").unlink()
    assert counter.take() is None
    assert OomCounter(str(tmp_path)).take() is None


@pytest.fixture
def cage() -> Iterator[Path]:
    """A memory cgroup of this test's own, v2 or v1, with a limit; at the root, for nobody else's is
    ours to divide."""
    root = Path("/sys/fs/cgroup")
    enabled = root / "cgroup.subtree_control"
    if not (enabled.exists() and "memory" in enabled.read_text().split()):
        root /= "memory"
    if not root.is_dir():
        pytest.skip("no memory cgroup is mounted here")
    path = root / f"rgunicorn-test-{os.getpid()}"
    try:
        path.mkdir()
    except OSError as exc:
        pytest.skip(f"no cgroup can be made in {root}: {exc}")
    v2 = path / "memory.max"
    try:
        (v2 if v2.exists() else path / "memory.limit_in_bytes").write_text(str(LIMIT))
        yield path
    finally:
        until(lambda: not (path / "cgroup.procs").read_text(), "its processes to end")
        path.rmdir()


def test_a_real_oom_kill(cage: Path, tmp_path: Path, command: Command) -> None:
    inside = ("sh", "-c", f'echo $$ > {cage}/cgroup.procs && exec "$0" "$@"', *command.argv)
    with spawner(tmp_path, Command(inside, command.name)) as spawn:
        scene = Scene(spawn("lethal:application", settings={"accesslog": "-", "timeout": 60}))
        scene.send("/kill")
        scene.server.wait_log("Perhaps out of memory? (No: the cgroup has counted no OOM kill.)")
        assert scene.send("/eat") == b""
        line = scene.error("Lost request", "/eat")
        assert line.endswith("its worker was killed by SIGKILL, out of memory")
        assert scene.access("/eat") == "500"
        log = scene.server.wait_log("Perhaps out of memory? (Yes: ")
        found = re.search(r"\(Yes: of the cgroup, memory\.(\w+): oom_kill (\d+)\.\)", log)
        assert found, log
        counted = (cage / f"memory.{found[1]}").read_text()
        assert f"oom_kill {found[2]}" in counted
