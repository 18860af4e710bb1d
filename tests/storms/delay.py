"""System calls that take long, by strace."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness.wait import until


@contextlib.contextmanager
def delayed(
    pids: Sequence[int], call: str, delay: str, trace: Path, *which: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Lets each system call `call` of these processes take longer, while the block runs.

    Args:
        delay: when and for how long: `delay_enter=MICROSECONDS`, `delay_exit=MICROSECONDS`.
        trace: the file that strace writes to.
        which: options of strace that say which of those calls.
    """
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    argv = ["strace", "-f", "-q", "-o", str(trace), "-e", f"trace={call}", *which]
    argv += ["-e", f"inject={call}:{delay}", *(f"--attach={pid}" for pid in pids)]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE)

    def attached() -> bool:
        if process.poll() is not None:
            stderr = process.stderr.read().decode() if process.stderr else ""
            pytest.skip(f"strace can not trace here: {stderr.strip()}")
        tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
        states = [(task / "status").read_text() for task in tasks]
        return all(re.search(r"^TracerPid:\s+[1-9]", state, re.MULTILINE) for state in states)

    try:
        until(attached, "strace to attach")
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)
