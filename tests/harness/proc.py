"""What the kernel says about a process: its descriptors, its memory."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path


def descriptors(pid: int) -> list[str]:
    """What each open descriptor of the process leads to, sorted; empty when it is gone."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            # Closed since it was listed.
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return sorted(found)


def proportional_set_size(pid: int) -> int:
    """Bytes of memory of the process; a page that n processes share counts as one n-th."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE)
    assert found, text
    return int(found[1]) * 1024
