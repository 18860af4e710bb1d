"""CPUs that a process may use, in made-up and in real control groups, and `workers = "auto"`."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.command_line import CommandLine
from rgunicorn import cgroups, cpus
from rgunicorn.cpus import Cpus

V2 = "35 31 0:31 {root} {mount} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"
V1 = "33 31 0:30 {root} {mount} rw,relatime - cgroup cgroup rw,cpu,cpuacct"
V1_MEMORY = "36 31 0:32 / {mount}/memory rw,relatime - cgroup cgroup rw,memory"


def quota(share: str) -> dict[str, str]:
    """The files of v1 for a share such as `50000 100000`."""
    runs, period = share.split()
    return {"cpu.cfs_quota_us": runs, "cpu.cfs_period_us": period}


#: name: (what /proc/self/cgroup says, mountinfo, the mount's root, files, expected)
TREES: dict[str, tuple[str, str, str, dict[str, str], float | None]] = {
    "v2 on a host": (
        "0::/system.slice/app.service",
        V2,
        "/",
        {"system.slice/app.service/cpu.max": "150000 100000", "system.slice/cpu.max": "max 100000"},
        1.5,
    ),
    "v2 without a limit": ("0::/a", V2, "/", {"a/cpu.max": "max 100000"}, None),
    "v2, the parent's is smaller": (
        "0::/kubepods/pod1/app",
        V2,
        "/",
        {
            "kubepods/pod1/app/cpu.max": "400000 100000",
            "kubepods/pod1/cpu.max": "50000 50000",
            "kubepods/cpu.max": "800000 100000",
        },
        1.0,
    ),
    "v2 in a namespace": ("0::/", V2, "/", {"cpu.max": "250000 100000"}, 2.5),
    "v2, another group's": ("0::/a", V2, "/", {"b/cpu.max": "10000 100000"}, None),
    "v2, a neighbour's beginning": ("0::/ab", V2, "/a", {"cpu.max": "300000 100000"}, 3.0),
    "v2 outside of the namespace": ("0::/../x", V2, "/", {"cpu.max": "300000 100000"}, 3.0),
    "v1 in a container": (
        "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/",
        V1,
        "/docker/abc",
        quota("20000 100000"),
        0.2,
    ),
    "v1 on a host": (
        "4:cpuacct,cpu:/a/b",
        V1,
        "/",
        {f"a/{name}": text for name, text in quota("300000 100000").items()}
        | {f"a/b/{name}": text for name, text in quota("-1 100000").items()},
        3.0,
    ),
    "v1 without a limit": ("4:cpu,cpuacct:/", V1, "/", quota("-1 100000"), None),
    "both": (
        "4:cpu,cpuacct:/a\n0::/",
        f"{V1}\n{V2}".replace("{mount}", "{mount}/v1", 1).replace(
            "{mount} rw,nosuid", "{mount}/v2 rw"
        ),
        "/",
        {f"v1/a/{name}": text for name, text in quota("700000 100000").items()},
        7.0,
    ),
    "nothing is mounted": ("0::/", "", "/", {"cpu.max": "100000 100000"}, None),
    "broken": ("0::/\nnonsense", f"x\n{V2}", "/", {"cpu.max": "a b c"}, None),
    "no period": ("0::/", V2, "/", {"cpu.max": "100000 0"}, None),
}


@pytest.mark.parametrize("name", TREES)
def test_quotas(tmp_path: Path, name: str) -> None:
    membership, mounts, root, files, expected = TREES[name]
    # As mountinfo spells a blank.
    mount = tmp_path / "a mount"
    for path, text in files.items():
        (mount / path).parent.mkdir(parents=True, exist_ok=True)
        (mount / path).write_text(text + "\n")
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text(membership + "\n")
    spelled = str(mount).replace(" ", "\\040")
    lines = V1_MEMORY.format(mount=spelled) + "\n" + mounts.format(root=root, mount=spelled)
    (tmp_path / "self" / "mountinfo").write_text(lines + "\n")
    assert cpus.find(str(tmp_path)) == (len(os.sched_getaffinity(0)), expected)


@pytest.mark.parametrize(
    ("found", "usable", "workers", "text"),
    [
        (Cpus(8, None), 8, 8, "affinity 8, cgroup quota none"),
        (Cpus(8, 2.5), 2.5, 3, "affinity 8, cgroup quota 2.5"),
        (Cpus(2, 16.0), 2, 2, "affinity 2, cgroup quota 16"),
        (Cpus(4, 0.1), 0.1, 1, "affinity 4, cgroup quota 0.1"),
    ],
)
def test_a_part_of_a_cpu_counts(found: Cpus, usable: float, workers: int, text: str) -> None:
    assert (found.usable, found.workers, str(found)) == (usable, workers, text)


@contextlib.contextmanager
def real_group(share: int) -> Iterator[Path]:
    """A control group below ours that grants so many hundredths of a CPU; skips where the machine
    does not let us make one."""
    for parent in cgroups.groups("cpu"):
        group = Path(parent) / f"rgunicorn-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if (group / "cpu.max").exists():
                (group / "cpu.max").write_text(f"{share * 1000} 100000")
            elif (group / "cpu.cfs_quota_us").exists():
                (group / "cpu.cfs_quota_us").write_text(str(share * 1000))
            else:
                continue
            yield group
            return
        finally:
            group.rmdir()
    pytest.skip("no control group of the cpu controller can be made here")


def test_a_real_control_group() -> None:
    show = "from rgunicorn import cpus; found = cpus.find(); print(found.quota, found.workers)"
    join = f"import os; open('{{}}/cgroup.procs', 'w').write(str(os.getpid())); {show}"
    with real_group(70) as group:
        done = subprocess.run(
            [sys.executable, "-c", join.format(group)], capture_output=True, text=True, timeout=60
        )
        if "Error" in done.stderr and "cgroup.procs" in done.stderr:
            pytest.skip(f"no process can be put into a control group here: {done.stderr}")
        assert done.stdout == "0.7 1\n", done.stderr


def count() -> int:
    return cpus.find().workers


@pytest.mark.parametrize("source", ["flag", "file", "variable", "arguments"])
def test_auto_is_a_number_from_every_source(ours: CommandLine, source: str) -> None:
    ours.write("gunicorn.conf.py", "workers = ' Auto '\n" if source == "file" else "")
    args = ["-w", "auto"] if source == "flag" else []
    env = {
        "variable": {"WEB_CONCURRENCY": "auto"},
        "arguments": {"GUNICORN_CMD_ARGS": "--workers=auto"},
    }.get(source, {})
    assert ours.config(*args, "app", **env)["workers"] == str(count())


def test_auto_goes_by_the_affinity(ours: CommandLine) -> None:
    taskset = shutil.which("taskset")
    if taskset is None:
        pytest.skip("taskset is not installed")
    one = str(min(os.sched_getaffinity(0)))
    code = "import sys; sys.argv = ['x', '-w', 'auto', '--print-config', 'app']; "
    code += "from rgunicorn.app.wsgiapp import run; run()"
    done = subprocess.run(
        [taskset, "-c", one, ours.python, "-c", code],
        cwd=ours.directory,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "\nworkers                            = 1\n" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("args", "env", "said"),
    [
        (["-w", "two"], {}, "argument -w/--workers: invalid int value: 'two'"),
        (["-w", "0x10"], {}, "argument -w/--workers: invalid int value: '0x10'"),
        (
            [],
            {"WEB_CONCURRENCY": "automatic"},
            "WEB_CONCURRENCY='automatic' is no value for workers",
        ),
    ],
)
def test_another_word_is_refused(
    ours: CommandLine, args: list[str], env: dict[str, str], said: str
) -> None:
    done = ours("--check-config", *args, "app", **env)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
